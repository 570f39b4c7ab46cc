// The public types of atomoe/service-worker, written by npm run types:snapshot.
// What is not here is in atomoe.d.ts.
export { RelayClient, RelayWorld, V1FetchEvent, V1Scope, answerV1, claimV1, handlesV1, listenV1 };

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

interface V1FetchEvent {
    readonly request: Request;
    respondWith(response: Promise<Response>): void;
}

interface V1Scope {
    readonly clients: {
        claim(): Promise<void>;
    };
    addEventListener(type: 'activate', listener: () => void): void;
    addEventListener(type: 'message', listener: (event: {
        data: unknown;
    }) => void): void;
    addEventListener(type: 'fetch', listener: (event: V1FetchEvent) => void): void;
}

declare function answerV1(request: Request, world?: RelayWorld): Promise<Response>;

declare function claimV1(scope?: V1Scope): void;

declare function handlesV1(request: Request, scope?: string): boolean;

declare function listenV1(scope?: V1Scope): void;
