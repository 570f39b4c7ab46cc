// The public types of atomoe/node, written by npm run types:snapshot.
// What is not here is in atomoe.d.ts.
export { nodeFolder, openNodeStorage };

interface NodeFolderOptions {
    readonly isConfined?: boolean;
}

declare function nodeFolder(path: string, { isConfined }?: NodeFolderOptions): Promise<FolderSource>;

declare function openNodeStorage(root: string): Promise<DiskStorage>;
