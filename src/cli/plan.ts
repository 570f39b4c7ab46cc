import { LocalEngine } from '../engine/index.ts';
import { budgetOf } from '../engine/load/planning.ts';
import type { Command } from './command.ts';
import { loadOptions, MODEL_FLAGS, STREAM_FLAGS } from './load-flags.ts';
import { DEVICE_OPTION, hubListing, JSON_OPTION, openEngine, openSource, readDevice } from './model.ts';
import { listingReport, listingWithNeeds, planReport } from './plan-report.ts';

/** What loading would take, before anything large is read. */
export const plan: Command = {
  name: 'plan',
  wants: ['MODEL'],
  summary: 'show what fits in a memory budget; reads headers only',
  example: 'plan demo/public/models/fable-moe-12m --budget 18MB',
  options: {
    budget: STREAM_FLAGS.budget,
    slots: STREAM_FLAGS.slots,
    ...MODEL_FLAGS,
    device: { ...DEVICE_OPTION.device, help: "gpu heeds this machine's adapter (default cpu)" },
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const options = loadOptions(args);
    const folder = await openSource(args.place(0));
    const isHere = readDevice(args) === 'gpu';
    const engine = await (isHere ? openEngine(args) : LocalEngine.open({ device: 'cpu' }));
    try {
      const found = await engine.plan(folder, { ...options, signal: terminal.signal });
      const { label } = folder;
      const listing = await hubListing(args.place(0), terminal.signal);
      const hub = listing && listingWithNeeds(listing, found, label);
      const budget = { label, bytes: budgetOf(options), isGiven: options.memoryBudget !== undefined };
      const asJson = () =>
        `${JSON.stringify({ model: label, budgetBytes: budget.bytes, plan: found, ...(hub ? { hub } : {}) })}\n`;
      const inWords = () => planReport(found, budget) + (hub ? listingReport(hub, label) : '');
      terminal.write(args.flag('json') ? asJson() : inWords());
      return found.fits;
    } finally {
      engine.dispose();
    }
  },
};
