/** Models on the local disk, for Node. */
export { nodeFolder } from './io/node-file.ts';
export { openNodeStorage } from './io/node-storage.ts';
