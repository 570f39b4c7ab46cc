// The public types of atomoe/service-worker, written by npm run types:snapshot.
// What is not here is in atomoe.d.ts.
export { RelayClient, RelayWorld, answerV1, handlesV1 };

interface RelayClient {
    postMessage(message: unknown, transfer: Transferable[]): void;
}

interface RelayWorld {
    readonly clients: {
        matchAll(options: {
            type: 'window';
            includeUncontrolled: boolean;
        }): Promise<readonly RelayClient[]>;
    };
    readonly locks: Pick<LockManager, 'request'>;
}

declare function answerV1(request: Request, world?: RelayWorld): Promise<Response>;

declare function handlesV1(request: Request, scope?: string): boolean;
