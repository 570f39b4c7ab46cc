/** Threads in Node. */
import type { Thread } from './thread-pool.ts';
import { ARGUMENTS_AT, CONTROL, MOST_ARGUMENTS, serveThread } from './thread.ts';

/** A thread is started from the text of its one function: where the library's files are depends on how it was bundled. */
export function startNodeThreads(count: number): Thread[] {
  // Not an import: bundlers of pages would look for it.
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const constants = [JSON.stringify(CONTROL), ARGUMENTS_AT, MOST_ARGUMENTS].join();
  const code = `const port = require('node:worker_threads').parentPort;
    const thread = {}; port.on('message', (data) => thread.onmessage({ data }));
    (${serveThread.toString()})(thread, ${constants});`;
  return Array.from({ length: count }, () => {
    const worker = new Worker(code, { eval: true });
    worker.unref(); // threads alone keep no process alive
    return {
      postMessage: (message) => worker.postMessage(message),
      terminate: () => void worker.terminate(),
    };
  });
}
