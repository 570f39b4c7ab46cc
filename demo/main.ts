/** The demo: one chat store, one page, and the wires between them. */
import '../src/element/define.ts';
import type {
  DeviceKind,
  Engine,
  GenerateEvent,
  GenerateOptions,
  ModelPlan,
  ModelSource,
} from '../src/engine/api.ts';
import { ChatStore, formatBytes, type ChatState, type ExpertShape } from '../src/element/index.ts';
import { describeAdapter, describeBrowser } from './adapter-line.ts';
import { Board } from './board.ts';
import { wireDrops } from './drops.ts';
import { openEngine, QUERY } from './engine.ts';
import { describeExperts } from './experts-title.ts';
import { readHubModel, type HubName } from '../src/engine/hub.ts';
import { HubPicker } from './hub-picker.ts';
import { KeptView } from './kept-view.ts';
import { MemoryView } from './memory-view.ts';
import { button, invitation, invitationToTell, LoadNotice, problemNotice, readingNotice } from './notices.ts';
import { keepPage } from './offline.ts';
import { findPage } from './page.ts';
import { parseHubName } from '../src/worker/index.ts';
import { RecordedStory } from './recorded-story.ts';
import STORY from './recording/story.json';
import { EMBEDDED, embeddedUrl, modelUrl, ROOMY, sourceName } from './sources.ts';
import { StartChoice } from './start-choice.ts';
import { LiveStats, reportText } from './stats.ts';
import { isThinking } from '../src/element/state.ts';
import { canKeep } from './storage.ts';
import { wireTheme } from './theme.ts';
import type { ReportFacts } from './report.ts';
import { ReportView } from './report-view.ts';
import { SelfTestView } from './self-test-view.ts';
import { version } from '../package.json';
import { StoryView } from './story-view.ts';
import { StreamingView } from './streaming-view.ts';

const page = findPage();
const story = new StoryView(page.story, page.experts);
const memory = new MemoryView(page.memory);
const kept = new KeptView(page.kept);
const streaming = new StreamingView(page.streaming, (report) => {
  showMemory();
  kept.hear(report?.disk);
});
const start = new StartChoice();
const check = new SelfTestView(page.check, version, () => page.streaming.slots.refresh());
const report = new ReportView(page.report, readFacts);
const recorded = new RecordedStory(page.recorded, STORY, story, page.experts);
const sources = new Map<string, ModelSource>(); // by the value of their option
const pickers = new Map<string, HubPicker>(); // of models of the hub, likewise
let device: DeviceKind = QUERY.device;
let engine: Engine | undefined;
let stats = new LiveStats();
let statsFrame = 0;
let keepsFiles = true;
let shown: ChatState['kind'] | undefined;
let shownModel: ChatState['model'];

const store = new ChatStore({
  openEngine: async () => {
    engine = undefined;
    engine = await openEngine(device);
    page.adapter.textContent = describeAdapter(engine.adapter);
    keepPage(); // not before a visitor wants a model: it fetches all that runs one
    return engine;
  },
});
const loadNotice = new LoadNotice(() => store.stop());

store.subscribe(render);
store.tap(hear);

/** Tells a story; before the first one, what loading takes is looked up. */
async function tell(): Promise<void> {
  const prompt = page.prompt.value;
  if (prompt.trim() === '') return;
  if (store.getState().kind === 'idle' && !store.getState().model) {
    const model = page.model.value;
    await choose(model);
    const state = store.getState();
    if (state.kind !== 'planning' || !state.plan?.fits || page.model.value !== model) return;
  }
  void store.send(prompt, { ...readOptions(), routes: true });
}

function readOptions(): GenerateOptions {
  const number = (input: HTMLInputElement): number | undefined =>
    input.value === '' || !input.validity.valid ? undefined : input.valueAsNumber;
  const [temperature, maxTokens, seed] = [page.temperature, page.length, page.seed].map(number);
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(seed === undefined ? {} : { seed }),
  };
}

function hear(event: GenerateEvent): void {
  if (event.kind === 'token') {
    check.token(event.id, stats.isEmpty);
    stats.hear(event);
    streaming.token();
    story.add(page.experts.addToken(event.text, event.routes));
    statsFrame ||= requestAnimationFrame(() => {
      statsFrame = 0;
      if (store.getState().kind === 'replying') page.stats.textContent = stats.text();
      showMemory();
    });
  }
  if (event.kind === 'done') {
    story.flush();
    page.experts.settle();
  }
}

/** Called for every token: whatever is not about a change of kind must be next to nothing. */
function render(state: ChatState): void {
  const isBusy = state.kind === 'replying' || state.kind === 'loading';
  if (state.kind === 'loading') loadNotice.show(state);
  if (state.kind === 'planning' && state.plan) {
    showNotice(invite(state));
    pickers.get(page.model.value)?.tell(state.plan);
    showExperts(plannedShape(state.plan), state.plan.expertsPerToken);
    showPlanNotes(state.plan);
  }
  if (!isBusy) page.stats.textContent = state.report ? reportText(state.report) : '';
  const last = state.messages.at(-1);
  if (last?.thoughts) story.think(last.thoughts, isThinking(last));
  if (state.kind === shown && state.model === shownModel) return;
  followModel(state);
  if (state.kind === shown) return;
  const before = shown;
  shown = state.kind;
  report.refresh();
  if (recorded.isShown) recorded.leave();
  page.go.disabled = isBusy;
  streaming.talking = state.kind === 'replying';
  page.stop.setAttribute('aria-disabled', String(state.kind !== 'replying'));
  switch (state.kind) {
    case 'planning':
    case 'idle':
      showNotice(invite(state));
      return;
    case 'loading':
      page.story.replaceChildren(loadNotice.element);
      page.status.textContent = 'Loading the model';
      return;
    case 'replying':
      begin(state);
      return;
    case 'ready':
    case 'stopped':
      rest(state, before);
      return;
    case 'failed':
      fail(state);
      return;
  }
}

/** The panels show the model that was chosen, or nothing while another one is still in memory. */
function followModel({ model }: ChatState): void {
  shownModel = model;
  streaming.follow(engine, model);
  check.follow(model && engine);
  page.memoryPromise.hidden = model !== undefined;
  const other = { name: ROOMY.name, choose: () => void choose(ROOMY.id) };
  streaming.other = page.model.value === ROOMY.id ? undefined : other;
  showMemory();
}

function invite(state: ChatState): HTMLElement {
  page.status.textContent = '';
  if (state.kind === 'idle') return invitationToTell(isEmbedded() ? hint() : '');
  const plan = state.kind === 'planning' ? state.plan : undefined;
  if (!plan) return readingNotice(() => store.stop());
  const canChoose = isFromNetwork() && device !== 'reference' && plan.experts > 0;
  start.enable(canChoose);
  const keeping = keepsFiles ? 'kept' : 'lost';
  return invitation(
    plan,
    isEmbedded() ? keeping : 'own',
    canChoose ? start.offer(plan, page.prompt.value) : undefined,
  );
}

/** In the place of the story; files to choose from stay beside it. */
function showNotice(notice: HTMLElement): void {
  if (recorded.isShown) recorded.leave();
  const picker = pickers.get(page.model.value);
  if (picker) picker.show(page.story, notice);
  else page.story.replaceChildren(notice);
}

/** What a visitor has to know of the plan stays below the story. */
function showPlanNotes({ notes }: ModelPlan): void {
  const halved = notes.find(({ kind }) => kind === 'memory-halved');
  page.planNotes.textContent = halved?.message ?? '';
  page.planNotes.hidden = !halved;
}

function showExperts(shape: ExpertShape, perToken: number): void {
  page.experts.reset(shape, perToken);
  const [all, few] = describeExperts(shape, perToken);
  page.expertsAll.textContent = all;
  page.expertsFew.textContent = few;
}

/** The experts as the picture will show them; thousands of them in a square number are a grid. */
function plannedShape({ layers, experts }: ModelPlan): ExpertShape {
  const grid = Math.sqrt(experts);
  return { layers, perLayer: experts, ...(experts >= 1024 && Number.isInteger(grid) ? { grid } : {}) };
}

function begin(state: ChatState): void {
  stats = new LiveStats();
  page.stats.textContent = stats.text();
  page.status.textContent = 'Writing a story';
  story.begin(state.messages.findLast(({ role }) => role === 'user')?.text ?? '');
}

function rest(state: ChatState, before: ChatState['kind'] | undefined): void {
  story.flush();
  page.experts.settle();
  showMemory();
  if (before === 'loading' && state.kind === 'ready' && state.model) {
    showExperts(state.model.experts, state.model.plan.expertsPerToken);
    kept.refresh();
  }
  if (before === 'replying') kept.refresh();
  const last = state.messages.at(-1);
  if (before === 'replying' && last?.role === 'assistant') page.status.textContent = last.text;
}

function fail(state: ChatState & { kind: 'failed' }): void {
  story.flush();
  page.status.textContent = '';
  page.stats.textContent = '';
  const { problem } = state;
  const canUseCpu =
    (device === 'auto' || device === 'gpu') &&
    ['no-webgpu', 'limit-too-small', 'device-lost', 'shader'].includes(problem.code);
  const actions = [
    button(
      problem.code === 'no-webgpu' ? 'Look again' : 'Try again',
      () => void store.retry(),
      'quiet-button',
    ),
  ];
  if (canUseCpu) actions.unshift(button('Tell it on the CPU', useCpu));
  const more = canUseCpu ? 'The CPU can write the story, too.' : '';
  const notice = problemNotice(problem, actions, more);
  if (state.messages.at(-1)?.status === 'failed') page.story.append(notice);
  else showNotice(notice);
  if (!engine)
    page.adapter.textContent = problem.code === 'no-webgpu' ? 'WebGPU: not in this browser' : 'No GPU in use';
}

function useCpu(): void {
  device = 'cpu';
  store.release();
  const source = sources.get(page.model.value);
  if (source !== undefined) void store.plan(source, start.loadOptions).then(() => tell());
}

function showMemory(): void {
  // Another model may still be in memory while this one is only planned: its figures are not this one's.
  if (store.getState().model && engine) memory.show(engine.memory(), engine.adapter.device !== 'gpu');
  else memory.clear();
}

/** What the report says; kernels are timed only while no reply waits for the device. */
async function readFacts(): Promise<ReportFacts> {
  const state = store.getState();
  const loaded = state.model && engine;
  const isResting = state.kind === 'ready' || state.kind === 'stopped';
  return {
    version,
    browser: navigator.userAgent,
    hasWebgpu: navigator.gpu !== undefined,
    isIsolated: crossOriginIsolated,
    adapter: engine?.adapter,
    model: state.model,
    memory: loaded?.memory(),
    streaming: await loaded?.streaming().catch(() => undefined),
    reply: state.report,
    problem: state.kind === 'failed' ? state.problem : undefined,
    dispatches: isResting && loaded ? await loaded.profile().catch(() => []) : [],
  };
}

function isFromNetwork(): boolean {
  return typeof sources.get(page.model.value) === 'string';
}

function isEmbedded(): boolean {
  return EMBEDDED.some(({ id }) => id === page.model.value);
}

/** Adds a model to the list, once per name. */
function addSource(value: string, name: string, source: ModelSource): void {
  sources.set(value, source);
  const known = [...page.model.options].find((each) => each.value === value);
  if (known) known.text = name;
  else page.model.add(new Option(name, value));
}

function choose(value: string): Promise<void> {
  const source = sources.get(value);
  if (source === undefined) return Promise.resolve();
  page.model.value = value;
  page.stats.textContent = '';
  page.other.open = false;
  return store.plan(source, start.loadOptions);
}

function openOther(source: ModelSource): Promise<void> {
  const hubName = typeof source === 'string' ? parseHubName(source) : undefined;
  if (typeof source === 'string' && hubName && hubName.file === undefined) {
    return openHubModel(source, hubName);
  }
  const name = sourceName(source);
  addSource(name, name, source);
  return choose(name);
}

/** Asks the hub which files there are. Without an answer the engine finds what is kept, or says what is wrong. */
async function openHubModel(source: string, name: HubName): Promise<void> {
  const { repo, revision } = name;
  const value = revision === 'main' ? repo : `${repo}@${revision}`;
  addSource(value, value, source);
  page.model.value = value;
  store.stop();
  showNotice(readingNotice(() => store.stop()));
  const model = await readHubModel(name).catch(() => undefined);
  if (model && !pickers.has(value)) {
    const picker = new HubPicker(model, (file) => {
      sources.set(value, file);
      void choose(value);
    });
    pickers.set(value, picker);
  }
  sources.set(value, pickers.get(value)?.source ?? source);
  if (page.model.value === value) await choose(value);
}

function wirePage(): void {
  page.form.addEventListener('submit', (event) => {
    event.preventDefault();
    void tell();
  });
  page.prompt.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void tell();
  });
  page.stop.addEventListener('click', () => store.stop());
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.isComposing) store.stop();
  });
  page.model.addEventListener('change', () => void choose(page.model.value));
  page.linkForm.addEventListener('submit', (event) => {
    event.preventDefault();
    void openOther(modelUrl(page.link.value));
  });
  page.files.addEventListener('change', () => {
    if (page.files.files?.length) void openOther([...page.files.files]);
  });
}

async function open(): Promise<void> {
  wirePage();
  wireTheme(page.theme);
  new Board(page.board, (tab) => (report.open = tab === 'report'));
  wireDrops((files) => void openOther(files));
  for (const { id, name, downloadBytes } of EMBEDDED)
    addSource(id, `${name} (${formatBytes(downloadBytes)})`, embeddedUrl(id, document.baseURI));
  page.adapter.textContent = describeBrowser();
  const { model } = QUERY;
  if (model === null) recorded.play();
  keepsFiles = await canKeep();
  page.hint.textContent = hint();
  kept.refresh();
  if (model === null) return;
  if (sources.has(model)) await choose(model);
  else await openOther(modelUrl(parseHubName(model) ? model : new URL(model, document.baseURI).href));
  kept.refresh();
}

/** Beside the recorded story: what one press does. */
function hint(): string {
  const size = formatBytes(EMBEDDED[0]?.downloadBytes ?? 0);
  const keeping = keepsFiles
    ? 'once, then offline.'
    : 'for this visit: this browser keeps no files of the page.';
  return `Press “Tell me a story” to run it here: ${size} ${keeping}`;
}

void open();
