// Several recordings of one call on one axis of call time. Pure.

import type { Track } from '@/history/types.ts'

/** A place on the tape: which recording, and how many seconds into it. */
export interface Place {
  readonly index: number
  readonly at: number
}

/** First and last second of call time that can be heard. */
export function span(tracks: readonly Track[]): readonly [number, number] {
  if (tracks.length === 0) return [0, 0]
  return [Math.min(...tracks.map((one) => one.offset)), Math.max(...tracks.map(endOf))]
}

export function endOf(track: Track): number {
  return track.offset + track.duration
}

/**
 * Where call time `time` is to be heard; between two recordings the next one's beginning, after all the last one's
 * end. `null`: there are none. Tracks are in order of their offsets.
 */
export function place(tracks: readonly Track[], time: number): Place | null {
  for (const [index, one] of tracks.entries()) {
    if (time < endOf(one)) return { index, at: Math.max(0, time - one.offset) }
  }
  const last = tracks.length - 1
  const track = tracks[last]
  return track ? { index: last, at: track.duration } : null
}

/** How much of the axis lies before `time`, 0..1. */
export function share(tracks: readonly Track[], time: number): number {
  const [from, to] = span(tracks)
  return to > from ? Math.min(1, Math.max(0, (time - from) / (to - from))) : 0
}
