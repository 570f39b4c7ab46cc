/** Loads every weight format before tests, which name formats without a model that is in them. */
import { BUILT_IN_FORMATS, loadFormats } from '../src/weights/formats/index.ts';

await loadFormats(BUILT_IN_FORMATS);
