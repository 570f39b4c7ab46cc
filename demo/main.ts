/** The demo: one chat store, one page, and the wires between them. */
import '../src/element/define.ts';
import type { DeviceKind, Engine, GenerateEvent, GenerateOptions, ModelPlan } from '../src/engine/api.ts';
import { EMPTY_CONVERSATION } from '../src/element/conversation.ts';
import {
  ChatStore,
  formatBytes,
  type ChatState,
  type ExpertShape,
  type Message,
} from '../src/element/index.ts';
import { describeAdapter, describeBrowser, describeNone } from './adapter-line.ts';
import { Board } from './board.ts';
import { wireDrops } from './drops.ts';
import { openEngine, QUERY } from './engine.ts';
import { describeExperts, plannedShape } from './experts-title.ts';
import { KeptView } from './kept-view.ts';
import { button, invitation, invitationToTell, LoadNotice, problemNotice, readingNotice } from './notices.ts';
import { keepPage } from './offline.ts';
import { findPage } from './page.ts';
import { parseHubName } from '../src/worker/index.ts';
import { RecordedStory } from './recorded-story.ts';
import STORY from './recording/story.json';
import { ModelList } from './model-list.ts';
import { EMBEDDED, embeddedUrl, modelUrl, ROOMY } from './sources.ts';
import { StartChoice } from './start-choice.ts';
import { LiveStats, reportText } from './stats.ts';
import { ModelsMenu } from './models-menu.ts';
import { canKeep } from './storage.ts';
import { wireTheme } from './theme.ts';
import type { ReportFacts } from './report.ts';
import { ReportView } from './report-view.ts';
import { SelfTestView } from './self-test-view.ts';
import { version } from '../package.json';
import { StoryScript } from './story-script.ts';
import { StoryView } from './story-view.ts';
import { StreamingView } from './streaming-view.ts';
import { TalkView, type Shown } from './talk-view.ts';

const page = findPage();
const story = new StoryView(page.story, page.experts);
const kept = new KeptView(page.kept, { holds: () => store.holdsModel, unload });
const streaming = new StreamingView(page.streaming, (report) => {
  showMemory();
  kept.hear(report?.disk);
});
const start = new StartChoice();
const check = new SelfTestView(page.check, version, () => page.streaming.slots.refresh());
const report = new ReportView(page.report, readFacts);
const recorded = new RecordedStory(page.recorded, STORY, story, page.experts);
const script = new StoryScript(story, page.experts);
let device: DeviceKind = QUERY.device;
let engine: Engine | undefined;
let stats = new LiveStats(0);
let askedAtMs = 0; // when what is being told was asked for: a load counts
let statsShown = '';
let noticeOver: ChatState['messages'] | undefined; // what was said when the notice on the stage came
let statsFrame = 0;
let keepsFiles = true;
let shown: ChatState['kind'] = 'idle';
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

const models = new ModelList({
  store,
  select: page.model,
  loadOptions: start.loadOptions,
  onChoose: () => {
    talk.acts.close(false);
    menu.close();
  },
  onAsk: () => showNotice(readingNotice(() => store.stop())),
});
const menu = new ModelsMenu(page.other, {
  list: page.models,
  suggestion: page.suggestion,
  models: () => models.all,
  chosen: () => models.chosen,
  loaded: () => (store.holdsModel ? loadedValue : undefined),
  choose: (value) => void models.choose(value),
  unload,
  delete: (key, name) => kept.delete(key, name),
});
const talk = new TalkView({
  store,
  parts: page.talk,
  options: pageOptions,
  prepare,
  onSettings: () => showTalk(store.getState()),
  onPanel: () => {
    if (recorded.isShown) recorded.pause();
  },
});

let loadedValue: string | undefined; // of the model that was loaded last

store.subscribe(render);
store.tap(hear);

/** Tells a story, or sends a message. */
async function tell(): Promise<void> {
  const prompt = page.prompt.value;
  if (prompt.trim() === '' || isBusy(store.getState()) || !(await prepare())) return;
  talk.acts.close(false);
  if (talk.isChat) page.prompt.value = '';
  else talk.acts.replace(EMPTY_CONVERSATION); // each story is a conversation of its own
  void store.send(prompt, talk.acts.options());
}

/** Before the first story, what loading takes is looked up. @returns whether there is a model to ask */
async function prepare(): Promise<boolean> {
  const { kind, model } = store.getState();
  if (kind !== 'idle' || model) return true;
  const { chosen } = models;
  await models.choose(chosen);
  const state = store.getState();
  return state.kind === 'planning' && state.plan?.fits === true && models.chosen === chosen;
}

/** Lets go of the model in memory. Another one that is chosen stays so: what it takes is looked up again. */
function unload(): void {
  const isOther = models.chosen !== loadedValue;
  store.release();
  if (isOther) void models.lookUp();
}

/** What holds where the settings say nothing. */
function pageOptions(): GenerateOptions {
  return talk.isChat ? { maxTokens: 1024, routes: true } : { temperature: 0.8, maxTokens: 220, routes: true };
}

function isBusy({ kind }: ChatState): boolean {
  return kind === 'replying' || kind === 'loading';
}

function hear(event: GenerateEvent): void {
  if (event.kind === 'token') {
    check.token(event.id, stats.isEmpty);
    stats.hear(event);
    streaming.token();
    script.hear(store.getState().messages.at(-1)?.id, event.text, event.routes, !talk.isChat);
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
  if (state.kind === 'loading') loadNotice.show(state);
  if (state.kind === 'planning' && state.plan) {
    showNotice(invite(state));
    models.tell(state.plan);
    showExperts(plannedShape(state.plan), state.plan.expertsPerToken);
    showPlanNotes(state.plan);
  }
  if (state.kind !== shown || state.model !== shownModel) renderChange(state);
  showTalk(state);
}

function renderChange(state: ChatState): void {
  if (state.model !== shownModel) followModel(state);
  if (state.kind === shown) return;
  const before = shown;
  shown = state.kind;
  if (isBusy(state) && before !== 'loading') askedAtMs = performance.now();
  report.refresh();
  menu.refresh();
  if (recorded.isShown) recorded.leave();
  page.go.disabled = isBusy(state);
  streaming.talking = state.kind === 'replying';
  page.stop.setAttribute('aria-disabled', String(state.kind !== 'replying'));
  switch (state.kind) {
    case 'planning':
    case 'idle':
      showNotice(invite(state));
      return;
    case 'loading':
      showNotice(loadNotice.element);
      page.status.textContent = 'Loading the model';
      return;
    case 'replying':
      begin();
      return;
    case 'ready':
    case 'stopped':
      rest(before);
      return;
    case 'failed':
      fail(state);
      return;
  }
}

/** The conversation, where no notice has its place. */
function showTalk(state: ChatState): void {
  const { messages } = state;
  const begun = messages.findLast(({ role }) => role === 'user');
  // What is said beside a notice is another conversation, from the history; or nothing, when that was deleted.
  if (noticeOver && noticeOver !== messages && state.kind !== 'loading') noticeOver = undefined;
  if (recorded.isShown && begun) recorded.leave();
  if (!noticeOver && !recorded.isShown && !begun) {
    showNotice(invitationToTell(''));
    page.experts.reset();
  }
  const last = messages.at(-1);
  const told = last?.role === 'assistant' ? last : undefined;
  if (!noticeOver && begun && !talk.isChat) script.show(begun, told);
  talk.render(whatIsShown(state), noticeOver === undefined && !recorded.isShown);
  if (isBusy(state)) return;
  showStats(told);
  void talk.acts.keep();
}

function whatIsShown({ messages }: ChatState): Shown {
  if (!talk.isChat || messages.length === 0) return 'story';
  return noticeOver ? 'both' : 'chat';
}

/** The figures of what was told last, and its seed, which the next may have, too. */
function showStats(told: Message | undefined): void {
  const { figures } = (noticeOver || talk.isChat ? undefined : told) ?? {}; // a chat has them below each reply
  const isUsed = talk.acts.settings.seed === figures?.seed;
  const text = figures ? reportText(figures) : '';
  if (statsShown === `${text} ${isUsed}`) return;
  statsShown = `${text} ${isUsed}`;
  if (!figures) return page.stats.replaceChildren();
  const seed = button(`seed ${figures.seed}`, () => talk.useSeed(isUsed ? undefined : figures.seed), 'seed');
  seed.setAttribute('aria-pressed', String(isUsed));
  seed.title = isUsed ? 'The next ones have this seed, too' : 'Use this seed for the next ones';
  page.stats.replaceChildren(`${text} · `, seed);
}

/** The panels show the model that was chosen, or nothing while another one is still in memory. */
function followModel({ model }: ChatState): void {
  shownModel = model;
  if (model) loadedValue = models.chosen;
  menu.refresh();
  script.forget();
  const { isChat } = talk;
  page.go.textContent = isChat ? 'Send' : 'Tell me a story';
  page.promptLabel.textContent = isChat ? 'Message' : 'How the story begins';
  streaming.follow(engine, model);
  check.follow(model && engine);
  page.memoryPromise.hidden = model !== undefined;
  const other = { name: ROOMY.name, choose: () => void models.choose(ROOMY.id) };
  streaming.other = models.chosen === ROOMY.id ? undefined : other;
  showMemory();
}

function invite(state: ChatState): HTMLElement {
  page.status.textContent = '';
  if (state.kind === 'idle') return invitationToTell(models.isEmbedded ? hint() : '');
  const plan = state.kind === 'planning' ? state.plan : undefined;
  if (!plan) return readingNotice(() => store.stop());
  const canChoose = models.isFromNetwork && device !== 'reference' && plan.experts > 0;
  start.enable(canChoose);
  const keeping = keepsFiles ? 'kept' : 'lost';
  return invitation(
    plan,
    models.isEmbedded ? keeping : 'own',
    canChoose ? start.offer(plan, page.prompt.value) : undefined,
  );
}

/** In the place of the conversation; files to choose from stay beside it. */
function showNotice(notice: HTMLElement): void {
  if (recorded.isShown) recorded.leave();
  noticeOver = store.getState().messages;
  script.leave();
  const picker = notice === loadNotice.element ? undefined : models.picker;
  if (picker) picker.show(page.story, notice);
  else if (page.story.firstChild !== notice) page.story.replaceChildren(notice);
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

function begin(): void {
  noticeOver = undefined;
  stats = new LiveStats(askedAtMs);
  page.stats.textContent = stats.text();
  statsShown = '';
  page.status.textContent = talk.isChat ? 'Writing a reply' : 'Writing a story';
  if (!talk.isChat) return;
  page.experts.reset();
  const said = store.getState().messages.findLast(({ role }) => role === 'user');
  page.experts.addToken(said?.text ?? '', undefined);
  if (page.prompt.value === said?.text) page.prompt.value = '';
}

function rest(before: ChatState['kind'] | undefined): void {
  const { kind, model, messages } = store.getState();
  noticeOver = undefined;
  story.flush();
  page.experts.settle();
  showMemory();
  if (before === 'loading' && kind === 'ready' && model) {
    showExperts(model.experts, model.plan.expertsPerToken);
    kept.refresh();
  }
  if (before === 'replying') kept.refresh();
  const last = messages.at(-1);
  if (before === 'replying' && last?.role === 'assistant') page.status.textContent = last.text;
}

function fail(state: ChatState & { kind: 'failed' }): void {
  story.flush();
  page.status.textContent = '';
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
  if (state.messages.at(-1)?.status !== 'failed') showNotice(notice);
  else if (talk.isChat) showNotice(notice);
  else page.story.append(notice);
  if (!engine) page.adapter.textContent = problem.code === 'no-webgpu' ? describeNone() : 'No GPU in use';
}

function useCpu(): void {
  device = 'cpu';
  store.release();
  void models.choose(models.chosen).then(() => tell());
}

function showMemory(): void {
  // Another model may still be in memory while this one is only planned: its figures are not this one's.
  const used = store.getState().model && engine;
  page.memory.where = engine?.adapter.device === 'gpu' ? 'GPU memory' : 'main memory';
  page.memory.report = used?.memory();
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
    if (event.key !== 'Escape' || event.isComposing) return;
    if (!talk.acts.close()) store.stop();
  });
  addEventListener('online', () => void store.reconnect());
  page.linkForm.addEventListener('submit', (event) => {
    event.preventDefault();
    void models.open(modelUrl(page.link.value));
  });
  page.files.addEventListener('change', () => {
    if (page.files.files?.length) void models.open([...page.files.files]);
  });
}

async function open(): Promise<void> {
  wirePage();
  wireTheme(page.theme);
  new Board(page.board, (tab) => (report.open = tab === 'report'));
  wireDrops((files) => void models.open(files));
  for (const { id, name, downloadBytes } of EMBEDDED)
    models.add(id, `${name} (${formatBytes(downloadBytes)})`, embeddedUrl(id, document.baseURI));
  page.adapter.textContent = describeBrowser();
  const { model } = QUERY;
  if (model === null) recorded.play();
  else recorded.leave();
  keepsFiles = await canKeep();
  page.hint.textContent = hint();
  kept.refresh();
  if (model === null) return;
  if (models.has(model)) await models.choose(model);
  else await models.open(modelUrl(parseHubName(model) ? model : new URL(model, document.baseURI).href));
  kept.refresh();
}

/** Beside the recorded story: what one press does. */
function hint(): string {
  const size = formatBytes(EMBEDDED.find(({ id }) => id === models.chosen)?.downloadBytes ?? 0);
  const keeping = keepsFiles
    ? 'once, then offline.'
    : 'for this visit: this browser keeps no files of the page.';
  return `Press “Tell me a story” to run it here: ${size} ${keeping}`;
}

void open();
