/** What visitors read, made of the errors that the code below really throws. */
import { expect, test } from 'vitest';
import { openCheckpoint } from '../containers/index.ts';
import { typedError } from '../engine/failures.ts';
import { AtomoeError } from '../errors.ts';
import { httpFolder } from '../io/http.ts';
import { problemOf } from './state.ts';
import { visitorSentence } from './visitor-words.ts';

const HERE = { isSecure: true, isOnline: true };
const ADDRESS = 'https://far.test/nothing-here/';

async function errorOf(answer: (name: string) => Response): Promise<AtomoeError> {
  const fetch = async (url: RequestInfo | URL): Promise<Response> => answer(String(url));
  const folder = httpFolder(ADDRESS, { fetch, attempts: 1, origin: 'https://far.test' });
  const error = await openCheckpoint(folder).catch((thrown: unknown) => thrown);
  if (!(error instanceof AtomoeError)) throw error;
  return error;
}

test('a dead link names no file', async () => {
  const error = await errorOf(() => new Response(null, { status: 404 }));
  expect(error.message).toContain('config.json');
  const sentence = visitorSentence(error.code, error.message, HERE);
  expect(sentence).toMatch(/^There is no model at https:\/\/far\.test\/nothing-here\/\. /);
  expect(sentence).not.toContain('.json');
  expect(problemOf(error)).toMatchObject({ message: sentence, detail: error.message });
});

test('a folder without weights is a model that is not whole', async () => {
  const config = JSON.stringify({ model_type: 'olmoe' });
  const error = await errorOf((url) =>
    url.endsWith('/config.json') ? new Response(config) : new Response(null, { status: 404 }),
  );
  expect(visitorSentence(error.code, error.message, HERE)).toMatch(
    /^The model at https:\/\/far\.test\/nothing-here\/ is not whole/,
  );
});

test('a connection that breaks off says what is kept and what to do; without a network, that it goes on', async () => {
  const error = await errorOf(() => {
    throw new TypeError('Failed to fetch');
  });
  expect(error.code).toBe('network');
  expect(visitorSentence(error.code, error.message, HERE)).toMatch(/does not answer.*try again/);
  expect(visitorSentence(error.code, error.message, { ...HERE, isOnline: false })).toMatch(
    /^This device is offline.*is back\.$/,
  );
});

test('a script that is gone asks for a reload', () => {
  const gone = new TypeError(
    'Failed to fetch dynamically imported module: https://far.test/assets/tokenizer-1.js',
  );
  const error = typedError(gone);
  expect(error).toBeInstanceOf(AtomoeError);
  expect(problemOf(error).message).toMatch(/^A part of this page did not load.*Reload the page\.$/);
});

test('what a host says about a login is left as it is', async () => {
  const error = await errorOf(() => new Response(null, { status: 401 }));
  expect(error.message).toContain('login');
  expect(visitorSentence(error.code, error.message, HERE)).toBeUndefined();
});
