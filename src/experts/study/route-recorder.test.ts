import { expect, test } from 'vitest';
import { RouteRecorder } from './route-recorder.ts';
import { parseTrace } from './trace-file.ts';
import { traceToJson } from './trace-json.ts';
import { unitsOf } from './trace.ts';

const HEAD = { label: 'two layers', layers: 2, units: 4, topK: 2, unitBytes: [100, 100] };

test('a prompt in chunks is added up, tokens follow in order, a stopped one is left out', () => {
  const recorder = new RouteRecorder();
  for (const layer of [0, 1]) recorder.prompt(layer, Uint32Array.of(3, 0, 1, 0), 3);
  for (const layer of [0, 1]) recorder.prompt(layer, Uint32Array.of(0, layer, 1, 0), 2);
  const units = new Uint32Array(4); // the same array each time, as the engine hands it out
  const token = (layer: number, ...ids: number[]) => {
    units.set(ids);
    recorder.token(layer, units, ids.length);
  };
  token(0, 3, 1);
  token(1, 2);
  token(0, 0, 2); // this one stopped, and was run again
  token(0, 0, 2);
  token(1, 1, 3);
  token(0, 1, 2); // this one stopped permanently
  const trace = recorder.trace(HEAD);
  expect(trace.steps).toBe(2);
  expect(trace.prime).toEqual({ tokens: 5, uses: [Uint32Array.of(3, 0, 2, 0), Uint32Array.of(3, 1, 2, 0)] });
  const routes = [0, 1].map((step) => [0, 1].map((layer) => [...unitsOf(trace, step, layer)]));
  expect(routes).toEqual([
    [[3, 1], [2]],
    [
      [0, 2],
      [1, 3],
    ],
  ]);
  expect(parseTrace(traceToJson(trace), 'again')).toEqual(trace);
});

test('without a prompt there is nothing to prime with, and without a token there is no trace', () => {
  const recorder = new RouteRecorder();
  expect(() => recorder.trace(HEAD)).toThrow(/no decode step/);
  recorder.token(0, Uint32Array.of(1), 1);
  recorder.token(1, Uint32Array.of(1), 1);
  expect(recorder.trace(HEAD).prime).toBeNull();
});
