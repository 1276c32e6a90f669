/** The form that asks the Hub for a model: what was typed, what was found, what the model consists of. */
import { readArchitecture } from '../../checkpoint/model-config.ts';
import { parameterCount } from '../../families/architecture.ts';
import { askForText } from '../../hub/ask.ts';
import { listModel, searchModels, type HubFound, type HubListing } from '../../hub/listing.ts';
import { checkRevision, fileAddress, readModelId, type HubPlace } from '../../hub/place.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import { hubAccess } from './hub-access.svelte.ts';
import { storedModels } from './stored-models.svelte.ts';

/** A model that may be downloaded. */
export interface HubOffer {
  place: HubPlace;
  listing: HubListing;
  modelType: string;
  parameters: number;
}

class Hub {
  /** An id, the address of a model's page, or words to search for. */
  query = $state('');
  revision = $state('');
  asking = $state(false);
  found = $state.raw<HubFound[] | null>(null);
  offer = $state.raw<HubOffer | null>(null);
  error = $state.raw<ErrorRecord | null>(null);
  #asked: AbortController | null = null;

  /** Looks an id up, or searches where it is none. */
  async ask(): Promise<void> {
    await this.#ask(async (signal) => {
      const { base, token } = hubAccess.settle();
      if (!this.query.includes('/')) {
        this.found = await searchModels(base, this.query.trim(), token, signal);
        return;
      }
      const { id, revision } = readModelId(this.query);
      if (revision) this.revision = revision;
      const place: HubPlace = { base, id, revision: checkRevision(this.revision), token };
      const listing = await listModel(place, signal);
      // The configuration alone tells whether a model can be trained: nobody should fetch gigabytes to learn that it cannot.
      const config = await askForText(fileAddress(base, id, listing.commit, 'config.json'), { token, signal, what: 'config.json' });
      const architecture = readArchitecture(config);
      this.offer = { place, listing, modelType: architecture.config.modelType, parameters: parameterCount(architecture) };
    });
  }

  choose(id: string): Promise<void> {
    this.query = id;
    this.revision = '';
    return this.ask();
  }

  /** Begins the download of what is offered. */
  async download(): Promise<void> {
    const { offer } = this;
    if (!offer) return;
    await this.#ask(async () => {
      await storedModels.begin(offer.place, offer.listing);
      this.offer = null;
      this.query = '';
    });
  }

  async #ask(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    this.asking = true;
    this.error = null;
    this.found = null;
    try {
      await work(asked.signal);
    } catch (error) {
      if (asked === this.#asked) {
        this.offer = null;
        this.error = LorikeetError.from(error).toRecord();
      }
    } finally {
      if (asked === this.#asked) this.asking = false;
    }
  }
}

export const hub = new Hub();
