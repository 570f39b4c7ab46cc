/** The engine in a dedicated worker. */
export { connectEngine, type Connection, type ConnectOptions } from './client.ts';
export { parseHubName } from '../engine/hub.ts';
export { hostEngine } from './host.ts';
export { createWorkerEngine, type WorkerEngineOptions } from './open.ts';
export type { OpenOptions, PortLike } from './protocol.ts';
export { trustedScriptUrl, WORKER_POLICY_NAME } from './script-url.ts';
