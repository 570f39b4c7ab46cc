/** Models on the local disk, for Node. */
export { nodeFolder } from './io/node-file.ts';
