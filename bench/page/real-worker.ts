/** Measures a model file that the page was given, in a worker, as pages run engines; a thread itself where its name says so. */
import { fileFolder } from '../../src/io/blob.ts';
import { serveAsThread } from '../../src/worker/serve-thread.ts';
import { isThread, startThreads } from '../../src/worker/threads.ts';
import { measureReal, type RealRun } from '../real/measure.ts';

if (isThread(self as { name?: string })) serveAsThread(self);
else {
  addEventListener('message', ({ data }: MessageEvent<{ file: File; run: RealRun }>) => {
    measureReal(fileFolder([data.file]), data.run, { startThreads }).then(
      (figures) => postMessage({ figures }),
      (error: unknown) => postMessage({ error: String(error) }),
    );
  });
}
