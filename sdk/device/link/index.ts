/** A device's connection to its controller, and where it fetches from. */
export { ChunkSource, type TransportSourceParts } from './chunk-source.ts';
export { type Birth, DeviceLink, type DeviceLinkParts, type Health, type Report, type Status } from './device-link.ts';
export { HttpFolder, type HttpOptions } from './http.ts';
export { HttpSource } from './http-source.ts';
export { httpMetadata, transportMetadata } from './metadata-sources.ts';
export { Scheduler } from './scheduler.ts';
