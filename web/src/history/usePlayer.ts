// Plays a call's recordings as one tape in call time: one audio element a recording, both voices with a volume each.

import { computed, onScopeDispose, reactive, shallowRef, watch, type ComputedRef, type ShallowRef } from 'vue'

import { endOf, place, span } from '@/history/tracks.ts'
import type { Track } from '@/history/types.ts'
import type { Side } from '@/stream/frames.ts'

export const RATES = [0.75, 1, 1.25, 1.5, 2] as const

export interface Player {
  /** Seconds of call time. */
  readonly now: Readonly<ShallowRef<number>>
  readonly playing: Readonly<ShallowRef<boolean>>
  readonly failed: Readonly<ShallowRef<boolean>>
  readonly rate: Readonly<ShallowRef<number>>
  /** 0..1 */
  readonly volume: Readonly<Record<Side, number>>
  readonly span: ComputedRef<readonly [number, number]>
  /** The audio element of a recording, as the template has it. */
  readonly attach: (index: number, element: HTMLAudioElement | null) => void
  readonly play: () => void
  readonly pause: () => void
  readonly toggle: () => void
  readonly seek: (time: number) => void
  /** From there on, until `until` where it is given. */
  readonly hear: (from: number, until?: number) => void
  readonly faster: (step: -1 | 1) => void
  readonly setVolume: (side: Side, share: number) => void
}

export function usePlayer(tracks: () => readonly Track[]): Player {
  const elements = new Map<number, HTMLAudioElement>()
  const now = shallowRef(0)
  const playing = shallowRef(false)
  const failed = shallowRef(false)
  const rate = shallowRef<number>(1)
  const volume = reactive<Record<Side, number>>({ caller: 1, agent: 1 })
  const whole = computed(() => span(tracks()))
  let until: number | null = null
  let frame = 0
  let mixer: Mixer | null = null

  watch(whole, ([from]) => (now.value = from), { immediate: true })

  function current(): { element: HTMLAudioElement; track: Track; index: number; at: number } | null {
    const found = place(tracks(), now.value)
    const element = found && elements.get(found.index)
    const track = found && tracks()[found.index]
    return found && element && track ? { element, track, ...found } : null
  }

  function follow(): void {
    cancelAnimationFrame(frame)
    const on = current()
    if (!playing.value || !on) return
    if (!on.element.seeking) now.value = on.track.offset + on.element.currentTime
    if (until !== null && now.value >= until) pause()
    else frame = requestAnimationFrame(follow)
  }

  function play(): void {
    const on = current()
    if (!on) return
    if (now.value >= whole.value[1] - 0.05) return hear(whole.value[0])
    failed.value = false
    // Browsers let a page sound only after somebody did something: so not before now.
    mixer ??= new Mixer(volume)
    mixer.take(on.element)
    on.element.playbackRate = rate.value
    if (Math.abs(on.element.currentTime - on.at) > 0.01) on.element.currentTime = on.at
    playing.value = true
    on.element.play().catch((error: unknown) => {
      // Interrupted by a pause or another place: not a failure.
      if (error instanceof DOMException && error.name === 'AbortError') return
      playing.value = false
      failed.value = true
    })
    follow()
  }

  function pause(): void {
    playing.value = false
    until = null
    cancelAnimationFrame(frame)
    for (const one of elements.values()) one.pause()
  }

  function seek(time: number): void {
    const [from, to] = whole.value
    const before = current()
    now.value = Math.min(to, Math.max(from, time))
    const on = current()
    if (!on) return
    until = null
    now.value = on.track.offset + on.at
    if (before && before.element !== on.element) before.element.pause()
    on.element.currentTime = on.at
    if (playing.value) play()
  }

  function hear(from: number, to?: number): void {
    seek(from)
    until = to ?? null
    if (!playing.value) play()
  }

  function ended(index: number): void {
    const next = tracks()[index + 1]
    const here = tracks()[index]
    if (!playing.value || !here) return
    if (next && until === null) return hear(Math.max(next.offset, endOf(here)))
    pause()
    now.value = endOf(here)
  }

  function attach(index: number, element: HTMLAudioElement | null): void {
    if (!element) {
      elements.delete(index)
      return
    }
    if (elements.get(index) === element) return
    elements.set(index, element)
    element.onended = () => ended(index)
    element.onerror = () => {
      failed.value = true
      pause()
    }
  }

  function faster(step: -1 | 1): void {
    const at = RATES.findIndex((one) => one === rate.value)
    rate.value = RATES[at + step] ?? rate.value
    for (const one of elements.values()) one.playbackRate = rate.value
  }

  function setVolume(side: Side, share: number): void {
    volume[side] = share
    mixer?.set(side, share)
  }

  onScopeDispose(() => {
    pause()
    mixer?.close()
  })
  const toggle = (): void => (playing.value ? pause() : play())
  return {
    now, playing, failed, rate, volume, span: whole, attach, play, pause, toggle, seek, hear, faster, setVolume,
  }
}

/** Left (the caller) and right (the agent), each with its volume, both in both ears. */
class Mixer {
  private readonly context = new AudioContext()
  private readonly voices: Readonly<Record<Side, GainNode>>
  private readonly known = new WeakSet<HTMLAudioElement>()

  constructor(volume: Readonly<Record<Side, number>>) {
    this.voices = { caller: this.context.createGain(), agent: this.context.createGain() }
    for (const side of ['caller', 'agent'] as const) {
      this.voices[side].gain.value = volume[side]
      this.voices[side].connect(this.context.destination)
    }
  }

  take(element: HTMLAudioElement): void {
    void this.context.resume()
    if (this.known.has(element)) return
    this.known.add(element)
    const legs = this.context.createChannelSplitter(2)
    this.context.createMediaElementSource(element).connect(legs)
    legs.connect(this.voices.caller, 0)
    legs.connect(this.voices.agent, 1)
  }

  set(side: Side, share: number): void {
    this.voices[side].gain.setTargetAtTime(share, this.context.currentTime, 0.02)
  }

  close(): void {
    void this.context.close()
  }
}
