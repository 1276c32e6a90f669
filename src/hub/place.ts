/** Where a model lies on the Hugging Face Hub or a mirror of it, and the addresses below it. */
import { LorikeetError } from '../protocol/errors.ts';

export const HUB = 'https://huggingface.co';

/** A model on a hub, as it is asked for. */
export interface HubPlace {
  /** Address of the hub or mirror, without a slash at its end. */
  base: string;
  /** "owner/name" */
  id: string;
  /** Branch, tag or commit. */
  revision: string;
  /** Sent with every request to the hub itself; null for what is public. */
  token: string | null;
}

const ID = /^[\w][\w.-]{0,95}\/[\w][\w.-]{0,95}$/;
const REVISION = /^[\w][\w./-]{0,199}$/;

/**
 * Reads what a person typed or pasted: an id, or the address of a model's page with or without its revision.
 * @returns the revision too when the address names one
 * @throws LorikeetError "config"
 */
export function readModelId(text: string): { id: string; revision: string | null } {
  const path = text.trim().replace(/^https?:\/\/[^/]+\//, '').replace(/[?#].*$/, '').replace(/\/+$/, '');
  const [id, , revision] = /^([^/]+\/[^/]+)(?:\/(tree|resolve|blob)\/(.+))?$/.exec(path)?.slice(1) ?? [];
  if (!id || !ID.test(id) || id.includes('..')) {
    throw new LorikeetError('config', `"${text.trim()}" is no model id.`, 'Write it as owner/name, or paste the address of its page.', { field: 'id' });
  }
  return { id, revision: revision ?? null };
}

/** @throws LorikeetError "config" */
export function checkRevision(text: string): string {
  const revision = text.trim() || 'main';
  if (!REVISION.test(revision) || revision.includes('..')) {
    throw new LorikeetError('config', `"${revision}" is no revision.`, 'Write a branch, a tag or a commit, or leave it empty for main.', { field: 'revision' });
  }
  return revision;
}

/**
 * Addresses that this page may fetch from: the Hub, the mirror given when the page was built, and the page's own server.
 * @throws LorikeetError "config" for any other: the browser would refuse it anyway, and not say why
 */
export function checkBase(text: string, origin: string, mirror: string): string {
  const base = text.trim().replace(/\/+$/, '') || HUB;
  const allowed = [HUB, ...(mirror ? [mirror.replace(/\/+$/, '')] : [])];
  const within = (place: string) => base === place || base.startsWith(`${place}/`);
  if (![...allowed, origin].some(within) || base.includes('..')) {
    throw new LorikeetError('config', `This page may not fetch from ${base}.`, `It may from ${allowed.join(', ')} and its own server; a mirror is named when the page is built, as VITE_HUB_MIRROR.`, { field: 'base' });
  }
  return base;
}

/** Facts and list of files of a model at a revision. */
export function infoAddress({ base, id, revision }: HubPlace): string {
  return `${base}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
}

/** One file as it was at a commit. */
export function fileAddress(base: string, id: string, commit: string, path: string): string {
  return `${base}/${id}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

export function searchAddress(base: string, words: string, limit: number): string {
  return `${base}/api/models?search=${encodeURIComponent(words)}&filter=safetensors&sort=downloads&direction=-1&limit=${limit}`;
}
