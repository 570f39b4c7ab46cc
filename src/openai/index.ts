/** OpenAI's HTTP API, answered by an engine. */
export type { AnsweringEngine } from '../engine/answering.ts';
export { openaiFetch, type Fetch } from './fetch.ts';
