import { request as httpRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import type { Fetch } from '../openai/index.ts';
import { openServer, type Server } from './http-server.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function open(answer: Fetch, token?: string): Promise<Server> {
  const server = await openServer(answer, { port: 0, token });
  servers.push(server);
  return server;
}

const echo: Fetch = async (input, init) => {
  const request = new Request(input, init);
  return Response.json({ path: new URL(request.url).pathname, body: await request.text() }, { status: 201 });
};

/** The status and body of a request with headers that `fetch` does not let pages set. */
async function ask(url: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  const request = httpRequest(url, { headers }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response as AsyncIterable<Buffer>) text += part.toString();
  return { status: response.statusCode ?? 0, text };
}

test('paths, bodies, statuses and headers pass', async () => {
  const { url } = await open(echo);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const response = await fetch(`${url}/v1/x?y=1`, { method: 'POST', body: 'told \u00e4' });
  expect(response.status).toBe(201);
  expect(response.headers.get('access-control-allow-origin')).toBeNull();
  expect(await response.json()).toEqual({ path: '/v1/x', body: 'told \u00e4' });
});

test('a body comes in parts, and who leaves ends it', async () => {
  let cancelled = () => {};
  const ended = new Promise<void>((resolve) => (cancelled = resolve));
  const { url } = await open(async (_, init) => {
    init?.signal?.addEventListener('abort', () => cancelled());
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('part ')),
      cancel: () => cancelled(),
    });
    return new Response(body);
  });
  const reader = (await fetch(url)).body?.getReader();
  expect(new TextDecoder().decode((await reader?.read())?.value)).toMatch(/^part /);
  await reader?.cancel();
  await ended;
});

test.each([
  [{ host: 'evil.example' }, 403, /the host is \\"evil\.example\\"; wanted 127\.0\.0\.1:\d+ or localhost/],
  [{ origin: 'https://evil.example' }, 403, /pages of https:\/\/evil\.example may not ask/],
  [{ origin: 'null' }, 403, /pages of null may not ask/],
])('a page elsewhere is refused: %o', async (headers, status, message) => {
  let asked = 0;
  const { url } = await open(async (input, init) => {
    asked += 1;
    return echo(input, init);
  });
  const answer = await ask(url, headers as Record<string, string>);
  expect(answer.status).toBe(status);
  expect(answer.text).toMatch(message);
  expect(asked).toBe(0);
});

test('a page of this server and programs may ask', async () => {
  const { url } = await open(echo);
  expect((await ask(url, { origin: url })).status).toBe(201);
  const { port } = new URL(url);
  expect((await ask(url, { host: `LocalHost:${port}` })).status).toBe(201);
  expect((await ask(url, { host: `localhost:${port}`, origin: `http://localhost:${port}` })).status).toBe(
    201,
  );
});

test('a token is asked for where there is one', async () => {
  const { url } = await open(echo, 'secret');
  for (const authorization of [undefined, 'Bearer', 'Bearer secre', 'Basic secret']) {
    const response = await fetch(url, authorization === undefined ? {} : { headers: { authorization } });
    expect(response.status, authorization).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
  }
  expect((await fetch(url, { headers: { authorization: 'Bearer secret' } })).status).toBe(201);
});

test('methods that requests cannot have are refused', async () => {
  const { url } = await open(echo);
  const request = httpRequest(url, { method: 'TRACE' }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  expect(response.statusCode).toBe(405);
});

test('a path that is none is refused', async () => {
  const { url } = await open(echo);
  const { port } = new URL(url);
  const request = httpRequest({ host: '127.0.0.1', port, path: '//[' }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  expect(response.statusCode).toBe(400);
});

test('a body without an end is refused', async () => {
  const { url } = await open(echo);
  const response = await fetch(url, { method: 'POST', body: new Uint8Array(33 * 2 ** 20) }).catch(
    () => undefined, // the connection may end before all was sent
  );
  expect(response?.status ?? 413).toBe(413);
});

test('a port that is taken is named', async () => {
  const { url } = await open(echo);
  const port = Number(new URL(url).port);
  await expect(openServer(echo, { port })).rejects.toThrow(
    new RegExp(`^port ${port} cannot be opened: another program has it; wanted a free one`),
  );
});
