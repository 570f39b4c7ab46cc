/** Byte ranges out of whole files: the engine reads weights in parts, the cache keeps them whole. */

/** The half-open range that a `Range` header asks for; 'whole' where it asks for none that can be served alone. */
export function parseRange(
  header: string | null,
  sizeBytes: number,
): 'whole' | 'unsatisfiable' | [number, number] {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  const [, from = '', to = ''] = match ?? [];
  if (!match || (from === '' && to === '')) return 'whole'; // several ranges, or another unit: the whole is allowed
  if (from === '') {
    const lastBytes = Math.min(Number(to), sizeBytes);
    return lastBytes === 0 ? 'unsatisfiable' : [sizeBytes - lastBytes, sizeBytes];
  }
  const start = Number(from);
  const end = to === '' ? sizeBytes : Math.min(Number(to) + 1, sizeBytes);
  if (to !== '' && Number(to) < start) return 'whole'; // not a range at all
  return start >= sizeBytes ? 'unsatisfiable' : [start, end];
}

/** Answers a request from the whole file: 206 with the part, 416, or the whole. */
export async function answerFrom(whole: Response, request: Request): Promise<Response> {
  const blob = await whole.blob();
  const range = parseRange(request.headers.get('range'), blob.size);
  const headers = new Headers(whole.headers);
  headers.set('accept-ranges', 'bytes');
  // What was counted or packed on the wire is not what is sent from here.
  headers.delete('content-encoding');
  if (range === 'unsatisfiable') {
    headers.set('content-range', `bytes */${blob.size}`);
    headers.delete('content-length');
    return new Response(null, { status: 416, headers });
  }
  const [start, end] = range === 'whole' ? [0, blob.size] : range;
  headers.set('content-length', String(end - start));
  if (range !== 'whole') headers.set('content-range', `bytes ${start}-${end - 1}/${blob.size}`);
  const body = request.method === 'HEAD' ? null : blob.slice(start, end);
  return new Response(body, { status: range === 'whole' ? 200 : 206, headers });
}
