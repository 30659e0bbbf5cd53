// What was said on a call, and a box that follows its end.

import { nextTick, onMounted, watch, type Ref } from 'vue'

import type { useLive } from '@/stores/live.ts'
import type { Utterance } from '@/stream/frames.ts'

/** Both sides in the order in which they spoke. */
export function saidOn(live: ReturnType<typeof useLive>, callId: string): Utterance[] {
  return [...live.topic('transcripts').values()]
    .filter((one) => one.call_id === callId)
    .sort((a, b) => a.start - b.start)
}

/** Keep `box` at its end while `said` grows, unless somebody scrolled up by more than `slack` pixels. */
export function followEnd(box: Readonly<Ref<HTMLElement | null>>, said: Ref<readonly Utterance[]>, slack: number): void {
  const toEnd = (): void => {
    if (box.value) box.value.scrollTop = box.value.scrollHeight
  }
  onMounted(toEnd)
  watch(
    said,
    () => {
      const now = box.value
      if (now && now.scrollTop + now.clientHeight >= now.scrollHeight - slack) void nextTick(toEnd)
    },
    { flush: 'pre' },
  )
}
