/** A provider for the AI SDK (`ai`, version 6): language models of its interface v3, answered by an engine. */
import { assertEngine, type AnsweringEngine } from '../engine/answering.ts';
import type { AtomoeLanguageModel } from './interface.ts';
import { resultOf, streamOf } from './reply.ts';
import { requestOf } from './request.ts';

export type { AnsweringEngine };
export type * from './interface.ts';

/**
 * The model that an engine has loaded, for `generateText`, `streamText` and the rest of the AI SDK:
 * `streamText({ model: atomoe(engine), prompt })`. Options of a reply that the SDK has no place for, such as hooks, are
 * `providerOptions: { atomoe: { ... } }`: fields of `engine.chat.completions.create`.
 *
 * @throws {AtomoeError} bad-input - no engine
 */
export function atomoe(engine: AnsweringEngine): AtomoeLanguageModel {
  assertEngine(engine, 'atomoe');
  const { completions } = engine.chat;
  return {
    specificationVersion: 'v3',
    provider: 'atomoe',
    get modelId() {
      return engine.model?.label ?? '';
    },
    supportedUrls: {},
    async doGenerate(options) {
      const request = requestOf(options);
      return resultOf(await completions.create({ ...request.body, stream: false }), request);
    },
    async doStream(options) {
      const request = requestOf(options);
      const { signal: _, ...sent } = request.body;
      const streaming = { stream: true, stream_options: { include_usage: true } } as const;
      const chunks = await completions.create({ ...request.body, ...streaming });
      return { stream: streamOf(chunks, request), request: { body: sent } };
    },
  };
}
