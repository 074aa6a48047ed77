export { matches } from './evaluate.ts';
export { parseQuery } from './parse.ts';
export { printQuery, type Query } from './query.ts';
export { type Condition, conditionOf, type FactColumns } from './sql.ts';
