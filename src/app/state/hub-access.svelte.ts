/** Where the Hub is asked, and with which token. The token is kept beyond the tab only where that is wished. */
import { checkBase } from '../../hub/place.ts';

const TOKEN_KEY = 'lorikeet.hub-token';
const BASE_KEY = 'lorikeet.hub-base';
/** Named when the page is built. */
const MIRROR = (import.meta.env.VITE_HUB_MIRROR as string | undefined) ?? '';

class HubAccess {
  token = $state(remembered(TOKEN_KEY));
  keepToken = $state(remembered(TOKEN_KEY) !== '');
  /** As typed; empty for the Hub itself. */
  base = $state(remembered(BASE_KEY) || MIRROR);

  get tokenOrNull(): string | null {
    return this.token.trim() || null;
  }

  /**
   * Checks the address and keeps what may be kept.
   * @throws LorikeetError "config" for an address that may not be asked
   */
  settle(): { base: string; token: string | null } {
    const base = checkBase(this.base, location.origin, MIRROR);
    remember(BASE_KEY, this.base.trim());
    remember(TOKEN_KEY, this.keepToken ? this.token.trim() : '');
    return { base, token: this.tokenOrNull };
  }
}

function remembered(key: string): string {
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

function remember(key: string, value: string): void {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {
    // Blocked storage costs only the memory of this field.
  }
}

export const hubAccess = new HubAccess();
