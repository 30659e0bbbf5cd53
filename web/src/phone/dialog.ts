// The SIP dialog of the call in this tab, kept over a reload: with it the phone can take its call back.

export interface DialogId {
  readonly callId: string
  readonly ourTag: string
  readonly theirTag: string
}

const KEY = 'hotline.dialog'
/** Older than that, the PBX has given the old leg up (rtp_timeout). */
const KEPT_MS = 60_000

export function remember(dialog: DialogId, store: Storage = sessionStorage): void {
  store.setItem(KEY, JSON.stringify({ ...dialog, at: Date.now() }))
}

/** Call now and then while the call runs: its age counts from the last time. */
export function touch(store: Storage = sessionStorage): void {
  const dialog = remembered(store)
  if (dialog !== null) remember(dialog, store)
}

export function remembered(store: Storage = sessionStorage, now: number = Date.now()): DialogId | null {
  try {
    const kept = JSON.parse(store.getItem(KEY) ?? 'null') as (DialogId & { at: number }) | null
    if (kept === null || !(now - kept.at < KEPT_MS)) return null
    return { callId: kept.callId, ourTag: kept.ourTag, theirTag: kept.theirTag }
  } catch {
    return null
  }
}

export function forget(store: Storage = sessionStorage): void {
  store.removeItem(KEY)
}
