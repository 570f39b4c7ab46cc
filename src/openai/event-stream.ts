import { httpErrorOf } from './errors.ts';
import { errorBody } from './http-error.ts';

/**
 * Chunks as server-sent events, with `[DONE]` behind the last one. Each is made when the reader asks for it; an error becomes
 * the last event, because the status was sent before. Who cancels ends the reply.
 */
export function eventStream(
  first: IteratorResult<object>,
  rest: AsyncIterator<object>,
  abort: AbortController,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let next: Promise<IteratorResult<object>> | undefined = Promise.resolve(first);
  const encoder = new TextEncoder();
  const event = (data: string) => encoder.encode(`data: ${data}\n\n`);
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done = false, value } = await (next ?? rest.next());
        next = undefined;
        controller.enqueue(event(done ? '[DONE]' : JSON.stringify(value)));
        if (done) controller.close();
      } catch (error) {
        controller.enqueue(event(JSON.stringify(errorBody(httpErrorOf(error)).body)));
        controller.close();
      }
    },
    cancel: (reason) => abort.abort(reason),
  });
}
