/** Modules that are one request, in the library and in the demo. Each group takes along what its modules import. */

/** What starts a worker or opens files, with all that it imports: the element and Node's entry need no more of the core. */
const CLIENT =
  /[\\/]src[\\/](worker[\\/]open|engine[\\/](?:\w+[\\/])?(api|hub)|io[\\/](blob-bytes|hub-name|names|read|source|storage))\.ts$/;

/** What runs models, with all it imports. */
const ENGINE = /[\\/]src[\\/]engine[\\/](?:(?:\w+[\\/])?engine|index)\.ts$/;

/** What the elements are made of, but for what is loaded when it is first needed. */
const ELEMENTS =
  /[\\/]src[\\/]element[\\/](?!define|index|markdown|turn-editor|settings-panel|presets|rich-style|history|conversation-file|expert-table|memory-view|remote-|consent-|leave-out|slot-table|slot-painter)[\w-]+\.ts$/;

/** What several containers, routers or experts share, or the runner in WebAssembly takes of them. */
const SHARED =
  /[\\/]src[\\/](containers[\\/]tensor-files|graph[\\/]ops[\\/](expert-refs|attention)|blocks[\\/]mixers[\\/]rope-table|kernels[\\/](routing[\\/](rule|stages[\\/]index)|experts[\\/]expert-parts|atomic[\\/]atomic-schedule))\.ts$/;

/** What brings experts in while a model runs, for models whose experts stream. */
const STREAMING = /[\\/]src[\\/]engine[\\/](run[\\/](streaming|streamed-steps)|load[\\/]fill)\.ts$/;

/** What keeps files on disk in browsers, where it is one request; Node has its own storage. */
const CACHE =
  /[\\/]src[\\/]io[\\/](cache[\\/](disk-cache|store|writer|files|journal|records|extents)|opfs)\.ts$/;

/** What every GGUF file needs. Architectures and the words of errors come on their own. */
const GGUF = /[\\/]src[\\/]containers[\\/]gguf[\\/](open|architectures|keys|names|gating)\.ts$/;

/** Every model in safetensors files, packs among them. */
const SAFETENSORS =
  /[\\/]src[\\/]containers[\\/](safetensors[\\/](open|tensors)|safetensors-header|quantization)\.ts$/;

/** Attention over keys and values of its own, in most models. */
const ATTENTION = /[\\/]src[\\/]blocks[\\/]mixers[\\/]attention\.ts$/;

/** Latent attention and its op, which `atomoe/ops` exports too. */
const LATENT = /[\\/]src[\\/]blocks[\\/]mixers[\\/]latent-attention\.ts$/;

/** Routers and experts that models of one sort name together. */
const GATED = /[\\/]src[\\/]blocks[\\/](routers[\\/]linear|experts[\\/]gated)\.ts$/;
const ATOMIC = /[\\/]src[\\/]blocks[\\/](routers[\\/]product(-keys)?|experts[\\/]neuron)\.ts$/;

/** What runs kernels on the CPU, and what an engine knows of them that chooses between them and the GPU. */
const SIMD = /[\\/]src[\\/]simd[\\/](kernels|memory|modules|run)\.ts$/;

/** What families share: one request, begun beside that for the family itself. */
const FAMILIES =
  /[\\/]src[\\/]models[\\/](class-defaults|families[\\/](common|rope|sparse-mlp|windows))\.ts$/;

/** Left alone, what a later chunk shares with the core would become one request more for the core. */
export const chunkGroups = [
  { name: 'client', test: CLIENT, priority: 4 },
  { name: 'elements', test: ELEMENTS, priority: 4 },
  { name: 'engine', test: (id: string) => ENGINE.test(id) || SHARED.test(id), priority: 3 },
  { name: 'gated', test: GATED, priority: 2 },
  { name: 'atomic', test: ATOMIC, priority: 1 },
  { name: 'streaming', test: STREAMING },
  { name: 'disk-cache', test: CACHE },
  { name: 'gguf', test: GGUF },
  { name: 'safetensors', test: SAFETENSORS },
  { name: 'attention', test: ATTENTION },
  { name: 'latent', test: LATENT },
  { name: 'tuning', test: /[\\/]src[\\/]engine[\\/]load[\\/]tuning(-store)?\.ts$/ },
  { name: 'simd', test: SIMD },
  { name: 'families', test: FAMILIES },
];
