/** Models by their names on the Hugging Face hub, for pages that show what there is before anything is loaded. */
export {
  hubAddress,
  hubFileUrl,
  parseHubName,
  readHubModel,
  type HubFile,
  type HubModel,
  type HubName,
  type HubOptions,
} from '../io/hub.ts';
