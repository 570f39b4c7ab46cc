/** OpenAI's HTTP API, answered by an engine. */
export type { AnsweringEngine } from '../engine/answering.ts';
export { openaiFetch, type Fetch } from './fetch.ts';
export {
  withRemote,
  type AnyAnswer,
  type AnyCompletions,
  type AnyStream,
  type LocalPart,
  type RanOn,
  type RemoteEngine,
  type RemoteOptions,
} from './remote/index.ts';
export { serveV1, type PageWorld, type WorkerMessages } from './relay/page.ts';
export { v1Ready, type WorkerContainer } from './relay/ready.ts';
