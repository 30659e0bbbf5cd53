// What is pointed at: the sentence a field came from is marked in the transcript, and can be heard.

import { shallowRef } from 'vue'

import { apiUrl } from '@/api/client.ts'
import type { Evidence } from '@/stream/frames.ts'

/** The spans to mark now. */
export const marked = shallowRef<readonly Evidence[]>([])
/** Which span is being heard. */
export const playing = shallowRef('')

/** Heard before and after the words themselves, seconds. */
const AROUND = 0.3
let audio: HTMLAudioElement | null = null

export function stopPlaying(): void {
  audio?.pause()
  audio = null
  playing.value = ''
}

/** Play seconds of call time; the promise fails where there is nothing to hear (yet). */
export async function play(callId: string, from: number, to: number, name: string): Promise<void> {
  stopPlaying()
  const query = { from: Math.max(0, from - AROUND).toFixed(2), to: (to + AROUND).toFixed(2) }
  const mine = new Audio(apiUrl(`/calls/${encodeURIComponent(callId)}/clip`, query))
  audio = mine
  playing.value = name
  const over = (): void => {
    if (audio === mine) stopPlaying()
  }
  mine.addEventListener('ended', over)
  try {
    await mine.play()
  } catch (error) {
    over()
    throw error
  }
}

/** A text cut at the marked spans, in order. Spans count characters (code points), not UTF-16 units. */
export function cut(text: string, spans: readonly { start: number; end: number }[]): { text: string; marked: boolean }[] {
  const parts: { text: string; marked: boolean }[] = []
  const all = [...text]
  const slice = (from: number, to?: number): string => all.slice(from, to).join('')
  let at = 0
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    const [from, to] = [Math.max(at, start), Math.min(all.length, end)]
    if (from >= to) continue
    if (from > at) parts.push({ text: slice(at, from), marked: false })
    parts.push({ text: slice(from, to), marked: true })
    at = to
  }
  if (at < all.length || parts.length === 0) parts.push({ text: slice(at), marked: false })
  return parts
}
