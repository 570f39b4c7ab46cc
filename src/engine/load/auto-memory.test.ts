import { describe, expect, test } from 'vitest';
import { guessBudgetBytes, openAutoMemory, type MachineFacts, type MarkerHost } from './auto-memory.ts';

const MIB = 2 ** 20;
const PHONE: MachineFacts = { isBrowser: true, deviceMemoryGib: undefined, isTouchOnly: true };

describe('what auto stands for', () => {
  test.each<[MachineFacts, number]>([
    [PHONE, 1024],
    [{ ...PHONE, isTouchOnly: false }, 2048],
    [{ ...PHONE, deviceMemoryGib: 8 }, 4096],
    [{ ...PHONE, deviceMemoryGib: 0.5 }, 256],
    [{ ...PHONE, isBrowser: false, isTouchOnly: false }, 4096],
  ])('%j: %i MiB', (facts, mib) => {
    expect(guessBudgetBytes(facts)).toBe(mib * MIB);
  });
});

/** A browser: its storage and locks outlive tabs, and `kill` ends a tab without a word. */
class Browser {
  readonly values = new Map<string, string>();
  readonly locks = new Map<string, object>();

  tab(): MarkerHost & { kill(): void; leave(): void } {
    const tab = {};
    let onLeave = (): void => {};
    const request = (name: string, callback: () => Promise<void>) => {
      this.locks.set(name, tab);
      return callback().finally(() => this.locks.delete(name));
    };
    const query = async () => ({ held: [...this.locks.keys()].map((name) => ({ name })) });
    return {
      storage: {
        getItem: (key) => this.values.get(key) ?? null,
        setItem: (key, value) => void this.values.set(key, value),
        removeItem: (key) => void this.values.delete(key),
      },
      locks: { request, query } as unknown as MarkerHost['locks'],
      onLeave: (callback) => {
        onLeave = callback;
        return () => (onLeave = () => {});
      },
      kill: () => {
        for (const [name, owner] of this.locks) if (owner === tab) this.locks.delete(name);
      },
      leave: () => onLeave(),
    };
  }
}

describe('after a tab that died', () => {
  test('the next visit takes half and says so, and the one after a second death a quarter', async () => {
    const browser = new Browser();
    for (const mib of [1024, 512, 256]) {
      const tab = browser.tab();
      const memory = await openAutoMemory(PHONE, tab);
      expect(memory.budgetBytes).toBe(mib * MIB);
      expect(memory.note?.message ?? '').toMatch(mib === 1024 ? /^$/ : new RegExp(` ${mib} MiB `));
      await memory.begin();
      tab.kill();
    }
  });

  test.each(['first token', 'page left'])('nothing is halved: %s', async (end) => {
    const browser = new Browser();
    const tab = browser.tab();
    const memory = await openAutoMemory(PHONE, tab);
    await memory.begin();
    if (end === 'page left') tab.leave();
    else memory.settle();
    tab.kill();
    expect(browser.values.size).toBe(0);
    expect((await openAutoMemory(PHONE, browser.tab())).budgetBytes).toBe(1024 * MIB);
  });

  test('a tab that is still loading is not dead', async () => {
    const browser = new Browser();
    await (await openAutoMemory(PHONE, browser.tab())).begin();
    const second = await openAutoMemory(PHONE, browser.tab());
    expect(second.budgetBytes).toBe(1024 * MIB);
    expect(second.note).toBeUndefined();
  });

  test('halving ends at 64 MiB, and garbage in the store is no marker', async () => {
    const browser = new Browser();
    browser.values.set('atomoe:loading', '{"a": 100, "b": "x", "c": null}');
    expect((await openAutoMemory(PHONE, browser.tab())).budgetBytes).toBe(64 * MIB);
    const other = new Browser();
    other.values.set('atomoe:loading', '[[[');
    other.values.set('atomoe:memory-limit', 'NaN');
    expect((await openAutoMemory(PHONE, other.tab())).budgetBytes).toBe(1024 * MIB);
  });

  test('a store that throws keeps nobody from loading', async () => {
    const tab = new Browser().tab();
    tab.storage.setItem = () => {
      throw new Error('full');
    };
    const memory = await openAutoMemory(PHONE, tab);
    await memory.begin();
    memory.settle();
    expect(memory.budgetBytes).toBe(1024 * MIB);
  });
});
