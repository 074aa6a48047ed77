export { jsonLines } from '../log.ts';
export { type RunningController, type ServeOptions, serve } from './serve.ts';
