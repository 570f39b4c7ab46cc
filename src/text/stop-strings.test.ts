import { describe, expect, test } from 'vitest';
import { StopStrings } from './stop-strings.ts';

/** Everything shown of these deltas, and the stop string that ended them. */
function run(stops: string[], deltas: string[]): { text: string; stop: string | undefined; shown: string[] } {
  const watcher = new StopStrings(stops);
  const shown: string[] = [];
  let stop: string | undefined;
  for (const delta of deltas) {
    const result = watcher.push(delta);
    shown.push(result.emit);
    if (result.stopped) {
      stop = result.stop;
      break;
    }
  }
  shown.push(watcher.flush());
  return { text: shown.join(''), stop, shown };
}

describe('stop strings', () => {
  test.each([
    ['in one delta', ['###'], ['a ### b'], 'a ', '###'],
    ['across deltas', ['###'], ['a #', '#', '# b'], 'a ', '###'],
    ['a beginning that comes to nothing', ['###'], ['a ##', ' b'], 'a ## b', undefined],
    ['a beginning at the end of the text', ['###'], ['a ##'], 'a ##', undefined],
    ['overlapping itself', ['aab'], ['a', 'a', 'a', 'b', 'c'], 'a', 'aab'],
    ['the first to be complete wins', ['abc', 'b'], ['abc'], 'a', 'b'],
    ['the longer of two that end together', ['bc', 'abc'], ['xabc'], 'x', 'abc'],
    ['none asked for', [], ['a', 'b'], 'ab', undefined],
    ['at the very start', ['\n'], ['\nx'], '', '\n'],
    ['an emoji', ['🦊'], ['a 🦊 b'], 'a ', '🦊'],
  ])('%s', (_case, stops, deltas, text, stop) => {
    expect(run(stops, deltas)).toMatchObject({ text, stop });
  });

  test('only what may be a beginning is held back', () => {
    expect(run(['END.'], ['abEN', 'cE', 'd']).shown).toEqual(['ab', 'ENc', 'Ed', '']);
    expect(run(['END.'], ['no such letter']).shown).toEqual(['no such letter', '']);
  });

  test('nothing follows a stop', () => {
    const watcher = new StopStrings(['x']);
    expect(watcher.push('ax')).toEqual({ stopped: true, emit: 'a', stop: 'x' });
    expect(watcher.push('b')).toEqual({ stopped: false, emit: '' });
    expect(watcher.flush()).toBe('');
  });

  test('the cut into deltas does not matter', () => {
    const letters = 'ab';
    let state = 9;
    const below = (n: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return (state >>> 10) % n;
    };
    const word = (length: number) => Array.from({ length }, () => letters[below(2)]).join('');
    let stopped = 0;
    for (let round = 0; round < 500; round++) {
      const stops = [word(1 + below(5)), word(2 + below(5))];
      const text = word(20);
      const byLetter = run(stops, Array.from(text));
      const deltas: string[] = [];
      for (let i = 0; i < text.length;) {
        const length = 1 + below(6);
        deltas.push(text.slice(i, i + length));
        i += length;
      }
      const cut = run(stops, deltas);
      expect([cut.text, cut.stop]).toEqual([byLetter.text, byLetter.stop]);
      for (const stop of stops) expect(cut.text.includes(stop) && cut.stop !== undefined).toBe(false);
      if (cut.stop !== undefined) stopped += 1;
    }
    expect(stopped).toBeGreaterThan(200);
  });

  test('an empty stop string is refused', () => {
    expect(() => new StopStrings(['a', ''])).toThrow(/a stop string is empty/);
  });
});

describe('special tokens in stop strings', () => {
  const run = (stop: string, pieces: [string, string?][]) => {
    const stops = new StopStrings([stop]);
    let text = '';
    for (const [delta, hidden] of pieces) {
      const result = stops.push(delta, hidden);
      text += result.emit;
      if (result.stopped) return { text, isStopped: true };
    }
    return { text: text + stops.flush(), isStopped: false };
  };

  test('a stop string that is one, begins with one, ends with one, or holds one', () => {
    const pieces: [string, string?][] = [['Hi '], ['', '<end>'], ['user'], ['', '<go>'], ['!']];
    expect(run('<end>', pieces)).toEqual({ text: 'Hi ', isStopped: true });
    expect(run('<end>us', pieces)).toEqual({ text: 'Hi ', isStopped: true });
    expect(run('i <end>', pieces)).toEqual({ text: 'H', isStopped: true });
    expect(run('r<go>!', pieces)).toEqual({ text: 'Hi use', isStopped: true });
  });

  test('one that matches nothing never shows, even where it was held back', () => {
    const pieces: [string, string?][] = [['a'], ['', '<end>'], ['b'], ['', '<e']];
    expect(run('<end>x', pieces)).toEqual({ text: 'ab', isStopped: false });
    expect(run('never', pieces)).toEqual({ text: 'ab', isStopped: false });
    expect(run('<e?', pieces)).toEqual({ text: 'ab', isStopped: false });
  });
});
