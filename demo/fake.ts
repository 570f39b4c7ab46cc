/** A scripted engine for working on the page alone (`npm run dev`, then `?fake`); no build contains it. */
import type { LoadProgress, TokenRoutes } from '../src/engine/api.ts';
import { FakeEngine } from '../src/element/fake-engine.ts';
import { AtomoeError } from '../src/errors.ts';

const STORY =
  ', there was a little fox who lived at the edge of the wood. Every morning the fox went down to the river to look ' +
  'for fish, and every morning the river was too cold. One day she met an old duck.\n\n“Why are you sad?” asked the ' +
  'duck.\n\n“I am hungry,” said the fox, “and the river is too cold for me.”\n\nThe duck laughed. “Then come with ' +
  'me,” she said, “and I will show you where the sun sleeps.” So they walked all day, and at the end of the day they ' +
  'found a warm little pond, full of light. The fox was so happy that she forgot to be hungry. From that day on they ' +
  'were friends.';

const THOUGHTS =
  'A story for a child, then. It needs somebody to follow, a wish, and somebody who helps.\n\nA fox that is hungry; the ' +
  'river is too cold for her. A duck knows a warm pond. That is enough, and it ends well.';

export function openDemoFake(): FakeEngine {
  const what = new URLSearchParams(location.search).get('fake');
  const isAtomic = what !== 'bars';
  const progress: LoadProgress[] = [
    { kind: 'planning' },
    ...Array.from({ length: 30 }, (_, index): LoadProgress => {
      return {
        kind: 'downloading',
        doneBytes: (17e6 * index) / 29,
        totalBytes: 17e6,
        modelBytes: 17e6,
        file: 'model.safetensors',
      };
    }),
    ...Array.from({ length: 10 }, (_, index): LoadProgress => {
      return { kind: 'compiling', donePipelines: index + 1, totalPipelines: 10 };
    }),
    { kind: 'ready' },
  ];
  const error = new AtomoeError(
    'device-lost',
    'The GPU went away in mid-story; the driver gave no reason. Try again.',
  );
  return new FakeEngine({
    ...(what === 'thinks' ? { hasChatTemplate: true, thoughts: THOUGHTS.match(/\s*\S+/gu) ?? [] } : {}),
    words: STORY.match(/\s*\S+|\s+$/gu) ?? [],
    ...(isAtomic ? { grid: 64 } : {}),
    plan: { layers: isAtomic ? 4 : 6, experts: isAtomic ? 4096 : 32, expertsPerToken: isAtomic ? 32 : 4 },
    layers: isAtomic ? 4 : 6,
    perLayer: isAtomic ? 4096 : 32,
    routes: (index) => fakeRoutes(index, isAtomic),
    progress,
    duringLoad: () => wait(60),
    beforeToken: () => wait(35),
    ...(what === 'lost' ? { replyError: { afterTokens: 12, error } } : {}),
    ...(what === 'nogpu' ? { planError: new AtomoeError('no-webgpu', NO_WEBGPU) } : {}),
    ...(what === 'full' ? { loadError: new AtomoeError('storage-full', NO_ROOM) } : {}),
    ...(what === 'small' ? { planError: new AtomoeError('limit-too-small', TOO_LARGE) } : {}),
  });
}

const NO_WEBGPU =
  'This browser offers no WebGPU; Atomoe wants navigator.gpu. Use a recent Chrome, Edge, Firefox or Safari.';

const NO_ROOM = 'the file system refused 4194304 bytes: QuotaExceededError';

const TOO_LARGE = 'the embedding takes 512 MiB in one binding; the adapter binds 128 MiB';

function fakeRoutes(index: number, isAtomic: boolean): TokenRoutes {
  const [layers, perLayer, perToken] = isAtomic ? [4, 4096, 32] : [6, 32, 4];
  const pick = (layer: number, rank: number): number => {
    const row = (index * 7 + layer * 13 + (rank % 6) * 11) % 64;
    return isAtomic ? row * 64 + ((index * 3 + rank * 29 + layer) % 64) : (row + rank * 5) % perLayer;
  };
  const ranks = Array.from({ length: perToken }, (_, rank) => rank);
  return {
    ids: Array.from({ length: layers }, (_, layer) => ranks.map((rank) => pick(layer, rank))),
    weights: Array.from({ length: layers }, () => ranks.map((rank) => 1 / (rank + 2))),
  };
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
