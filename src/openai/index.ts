/** OpenAI's HTTP API, answered by an engine. */
export { openaiFetch, type AnsweringEngine, type Fetch } from './fetch.ts';
