/** A pack that is written to memory. Not part of the library. */
import type { FolderSink } from './pack/writer.ts';

/** Contents by the names of files. */
export type Files = Record<string, Uint8Array<ArrayBuffer>>;

export function memorySink(): { files: Files; sink: FolderSink } {
  const files: Files = {};
  const sink: FolderSink = {
    create: async (name) => {
      let bytes = new Uint8Array(0);
      return {
        async write(more) {
          const longer = new Uint8Array(bytes.length + more.length);
          longer.set(bytes);
          longer.set(more, bytes.length);
          bytes = files[name] = longer;
        },
        close: async () => {},
      };
    },
    commit: async (name, bytes) => void (files[name] = bytes),
  };
  return { files, sink };
}
