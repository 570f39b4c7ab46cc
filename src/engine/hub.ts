/** Models by their names on the Hugging Face hub, for pages that show what there is before anything is loaded. */
import type { HubModel, HubOptions } from '../io/hub.ts';
import type { HubName } from '../io/hub-name.ts';

export { hubFileUrl, parseHubName, type HubName } from '../io/hub-name.ts';
export type { HubFile, HubModel, HubOptions } from '../io/hub.ts';

/**
 * Asks the hub for the files of a model: which are there, their sizes, what is proposed, and the licence.
 *
 * @throws {AtomoeError} bad-file - no such model; network
 */
export async function readHubModel(name: HubName, options: HubOptions = {}): Promise<HubModel> {
  const hub = await import('../io/hub.ts');
  return hub.readHubModel(name, options);
}
