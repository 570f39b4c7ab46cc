import { describe, expect, test } from 'vitest';
import { ExpertActivity } from './expert-activity.ts';
import { cellOf, expertAt, layoutExperts } from './expert-layout.ts';
import { bareWord, WordStream } from './words.ts';

const route = (a: number, b: number) => ({
  ids: [
    [a, b],
    [b, a],
  ],
  weights: [
    [0.75, 0.25],
    [0.5, 0.5],
  ],
});

describe('words', () => {
  test('tokens join into words, and several words may share a token', () => {
    const stream = new WordStream();
    expect(stream.push('Once')).toEqual([{ kind: 'word', text: 'Once', word: 0, isNew: true }]);
    expect(stream.push(' up')).toEqual([
      { kind: 'space', text: ' ' },
      { kind: 'word', text: 'up', word: 1, isNew: true },
    ]);
    expect(stream.push('on')).toEqual([{ kind: 'word', text: 'on', word: 1, isNew: false }]);
    expect(stream.push(',\n\nshe sang ')).toEqual([
      { kind: 'word', text: ',', word: 1, isNew: false },
      { kind: 'space', text: '\n\n' },
      { kind: 'word', text: 'she', word: 2, isNew: true },
      { kind: 'space', text: ' ' },
      { kind: 'word', text: 'sang', word: 3, isNew: true },
      { kind: 'space', text: ' ' },
    ]);
    expect(stream.push('')).toEqual([]);
    expect(stream.words).toEqual(['Once', 'upon,', 'she', 'sang']);
  });

  test('a bare word has no case and no punctuation around it', () => {
    expect(bareWord('“Fox!”')).toBe('fox');
    expect(bareWord("don't,")).toBe("don't");
    expect(bareWord('...')).toBe('');
  });
});

describe('activity', () => {
  test('a token lights its experts by rank and counts their weights', () => {
    const activity = new ExpertActivity({ layers: 2, perLayer: 8 });
    activity.addToken('fox', route(1, 2));
    expect(activity.heat[1]).toBe(1);
    expect(activity.heat[2]).toBeCloseTo(0.5 + 0.5 / 3, 6);
    expect(activity.heat[8 + 2]).toBe(1);
    expect(activity.use[1]).toBe(0.75);
    expect(activity.maxUse).toBe(0.75);
    expect(activity.heat[3]).toBe(0);
  });

  test('heat falls with time and ends; use stays', () => {
    const activity = new ExpertActivity({ layers: 2, perLayer: 8 });
    activity.addToken('fox', route(1, 2));
    expect(activity.cool(700)).toBe(true);
    expect(activity.heat[1]).toBeCloseTo(Math.exp(-1), 5);
    expect(activity.cool(10_000)).toBe(false);
    expect(activity.heat[1]).toBe(0);
    expect(activity.use[1]).toBe(0.75);
  });

  test('a word has the experts of all its tokens, an expert its words', () => {
    const activity = new ExpertActivity({ layers: 2, perLayer: 8 });
    activity.addToken('The', route(0, 1));
    activity.addToken(' fo', route(1, 2));
    activity.addToken('x', route(3, 2));
    activity.addToken(' and', route(4, 5));
    activity.addToken(' the fox.', route(1, 7));
    expect([...activity.routesOf(1).keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 9, 10, 11]);
    expect(activity.wordsOf({ layer: 0, expert: 1 })).toEqual([0, 1, 3, 4]);
    expect(activity.likedWords({ layer: 0, expert: 1 }, 2)).toEqual([
      { text: 'the', count: 2 },
      { text: 'fox', count: 2 },
    ]);
    expect(activity.likedWords({ layer: 1, expert: 6 }, 2)).toEqual([]);
  });

  test('the busiest experts come first, with their share of the layer', () => {
    const activity = new ExpertActivity({ layers: 2, perLayer: 8 });
    activity.addToken('a', route(1, 2));
    activity.addToken('b', route(2, 3));
    expect(activity.busiest(0, 2)).toEqual([
      { layer: 0, expert: 2, share: 0.5 },
      { layer: 0, expert: 1, share: 0.375 },
    ]);
  });

  test('prompt words and experts out of range are harmless', () => {
    const activity = new ExpertActivity({ layers: 1, perLayer: 2 });
    activity.addToken('Once', undefined);
    activity.addToken(' more', route(1, 9));
    expect(activity.routesOf(0).size).toBe(0);
    expect([...activity.routesOf(1).keys()]).toEqual([1]);
  });
});

describe('layout', () => {
  test.each([
    ['atomic experts', { layers: 4, perLayer: 4096, grid: 64 }, 480],
    ['bars', { layers: 6, perLayer: 32 }, 480],
    ['many experts', { layers: 48, perLayer: 128 }, 480],
    ['a narrow phone', { layers: 4, perLayer: 4096, grid: 64 }, 300],
  ])('%s: every expert has a place of its own inside the picture', (_name, shape, width) => {
    const layout = layoutExperts(shape, width);
    for (const id of [
      { layer: 0, expert: 0 },
      { layer: shape.layers - 1, expert: shape.perLayer - 1 },
      { layer: 1, expert: 17 },
    ]) {
      const cell = cellOf(layout, id);
      expect(expertAt(layout, shape, cell.x + cell.width / 2, cell.y + cell.height / 2)).toEqual(id);
      expect(cell.x + cell.width).toBeLessThanOrEqual(width + 1e-6);
      expect(cell.y + cell.height).toBeLessThanOrEqual(layout.height);
    }
    expect(expertAt(layout, shape, -1, -1)).toBeUndefined();
  });

  test('squares keep whole pixels and stand beside each other where they fit', () => {
    const layout = layoutExperts({ layers: 4, perLayer: 4096, grid: 64 }, 480);
    expect(layout.panels.map(({ cellWidth }) => cellWidth)).toEqual([3, 3, 3, 3]);
    expect(new Set(layout.panels.map(({ x }) => x)).size).toBe(2);
    // Three would fit here, and leave the fourth alone.
    const wide = layoutExperts({ layers: 4, perLayer: 4096, grid: 64 }, 680);
    expect(new Set(wide.panels.map(({ x }) => x)).size).toBe(2);
    expect(wide.panels[0]?.cellWidth).toBe(5);
    expect(layoutExperts({ layers: 6, perLayer: 32 }, 480).kind).toBe('bars');
    expect(layoutExperts({ layers: 48, perLayer: 128 }, 480).kind).toBe('cells');
  });
});
