// What a supervisor must notice, with its sound. What is acknowledged is so in this browser window.

import { computed, onScopeDispose, shallowRef, watch } from 'vue'

import { useLive } from '@/stores/live.ts'
import { loudest, notices, type Notice } from '@/wall/notices.ts'
import { Siren } from '@/wall/sound.ts'

const ACKNOWLEDGED = 'hotline.wall.acknowledged'
const MUTED = 'hotline.wall.muted'
/** More than can be wrong at once: what was acknowledged long ago is forgotten. */
const KEPT = 500

function stored(): string[] {
  try {
    const told: unknown = JSON.parse(sessionStorage.getItem(ACKNOWLEDGED) ?? '[]')
    return Array.isArray(told) ? told.filter((one) => typeof one === 'string') : []
  } catch {
    return []
  }
}

export interface Notices {
  readonly all: () => readonly Notice[]
  readonly open: () => readonly Notice[]
  readonly muted: () => boolean
  /** Whether the browser lets sounds be heard. */
  readonly audible: () => boolean
  readonly acknowledge: (...which: readonly Notice[]) => void
  readonly mute: (on: boolean) => void
}

/** For the page, as long as it lives. */
export function useNotices(): Notices {
  const live = useLive()
  const siren = new Siren()
  const acknowledged = shallowRef<ReadonlySet<string>>(new Set(stored()))
  const muted = shallowRef(localStorage.getItem(MUTED) === '1')
  const audible = shallowRef(false)
  const all = computed(() => notices(live.topic('alerts').values(), live.topic('alarms').values(), acknowledged.value))
  const open = computed(() => all.value.filter((one) => !one.acknowledged))

  siren.onAudible = (now) => (audible.value = now)
  const wake = (): void => siren.wake()
  wake()
  addEventListener('pointerdown', wake)
  addEventListener('keydown', wake)

  // A second warning must not pass in silence because there is one already.
  const heard = new Set<string>()
  watch(
    [open, muted, audible],
    () => {
      const began = siren.sound(muted.value ? null : loudest(open.value))
      const fresh = open.value.filter((one) => !heard.has(one.key))
      if (fresh[0] && !began && !muted.value) siren.once(fresh[0].urgency)
      for (const one of fresh) heard.add(one.key)
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    removeEventListener('pointerdown', wake)
    removeEventListener('keydown', wake)
    siren.close()
  })

  function acknowledge(...which: readonly Notice[]): void {
    const keys = [...acknowledged.value, ...which.map((one) => one.key)].slice(-KEPT)
    acknowledged.value = new Set(keys)
    sessionStorage.setItem(ACKNOWLEDGED, JSON.stringify([...acknowledged.value]))
  }
  function mute(on: boolean): void {
    muted.value = on
    localStorage.setItem(MUTED, on ? '1' : '0')
  }
  return {
    all: () => all.value,
    open: () => open.value,
    muted: () => muted.value,
    audible: () => audible.value,
    acknowledge,
    mute,
  }
}
