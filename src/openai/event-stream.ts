import type { ChatCompletionStream } from '../engine/api.ts';
import { errorBody, httpErrorOf } from './errors.ts';

/**
 * Chunks as server-sent events, with `[DONE]` behind the last one. Each is made when the reader asks for it; an error becomes
 * the last event, because the status was sent before. Who cancels ends the reply.
 */
export function eventStream(chunks: ChatCompletionStream): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = chunks[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const event = (data: string) => encoder.encode(`data: ${data}\n\n`);
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done = false, value } = await reader.next();
        controller.enqueue(event(done ? '[DONE]' : JSON.stringify(value)));
        if (done) controller.close();
      } catch (error) {
        controller.enqueue(event(JSON.stringify(errorBody(httpErrorOf(error)).body)));
        controller.close();
      }
    },
    cancel: (reason) => chunks.controller.abort(reason),
  });
}
