/** Code and expressions that came from a file run only after the user has seen them and said so, once for each text. */
import type { TrainingConfig } from '../../protocol/config.ts';
import { codeIn, codeKey, type CodeText } from '../settings/code-in.ts';

const STORAGE_KEY = 'lorikeet.code';
/** The oldest are forgotten; the worst of it is being asked again. */
const MOST_CHARACTERS = 500_000;

type Config = Pick<TrainingConfig, 'custom_rewards' | 'target_modules'>;

class CodeConsent {
  /** What the user is being asked about; null while nothing is. */
  asking = $state.raw<readonly CodeText[] | null>(null);
  #agreed: string[] = readStored();
  #answer: (agreed: boolean) => void = () => {};

  /** Remembers what these settings hold as the user's own: they were typed here, or agreed to. */
  trust(config: Config): void {
    this.#remember(codeIn(config));
  }

  /**
   * Shows what is in settings that came from elsewhere; asks nothing where all of it is known.
   * @returns whether the user lets it run
   */
  async ask(config: Config): Promise<boolean> {
    const unknown = codeIn(config).filter((code) => !this.#agreed.includes(codeKey(code)));
    if (unknown.length === 0) return true;
    // A question that nobody answered is a no.
    this.#answer(false);
    this.asking = unknown;
    const agreed = await new Promise<boolean>((resolve) => (this.#answer = resolve));
    if (agreed) this.#remember(unknown);
    return agreed;
  }

  answer(agreed: boolean): void {
    this.asking = null;
    this.#answer(agreed);
    this.#answer = () => {};
  }

  #remember(codes: readonly CodeText[]): void {
    const keys = codes.map(codeKey);
    const kept = [...this.#agreed.filter((key) => !keys.includes(key)), ...keys];
    while (kept.reduce((sum, key) => sum + key.length, 0) > MOST_CHARACTERS && kept.length > keys.length) kept.shift();
    this.#agreed = kept;
    try {
      localStorage.setItem(STORAGE_KEY, JSON.stringify(kept));
    } catch {
      // Blocked or full storage: it is asked again after a reload.
    }
  }
}

function readStored(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '[]');
    return Array.isArray(stored) ? stored.filter((key) => typeof key === 'string') : [];
  } catch {
    return [];
  }
}

export const codeConsent = new CodeConsent();
