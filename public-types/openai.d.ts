// The public types of atomoe/openai, written by npm run types:snapshot.
// What is not here is in atomoe.d.ts.
export { AnsweringEngine, Fetch, openaiFetch };

type AnsweringEngine = Pick<Engine, 'chat' | 'model'>;

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

declare function openaiFetch(engine: AnsweringEngine): Fetch;
