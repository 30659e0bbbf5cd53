// The wall's alarm sounds. Danger to life sounds until somebody acknowledges it,
// a critical alarm comes back now and then, a warning sounds once.

import { play, type Tone } from '@/common/tones.ts'
import type { Urgency } from '@/wall/notices.ts'

interface Sound {
  readonly tones: readonly Tone[]
  readonly loud: number
  readonly shape: OscillatorType
  /** Again after so many milliseconds; `null`: once. */
  readonly againMs: number | null
}

export const SOUNDS: Readonly<Record<Urgency, Sound>> = {
  life: {
    tones: [0, 0.3, 0.6, 0.9].flatMap((at) => [
      { hz: 960, at, long: 0.14 },
      { hz: 720, at: at + 0.15, long: 0.14 },
    ]),
    loud: 0.3,
    shape: 'square',
    againMs: 2500,
  },
  critical: {
    tones: [
      { hz: 784, at: 0, long: 0.2 },
      { hz: 587, at: 0.24, long: 0.3 },
    ],
    loud: 0.25,
    shape: 'triangle',
    againMs: 15_000,
  },
  warning: { tones: [{ hz: 660, at: 0, long: 0.18 }], loud: 0.15, shape: 'sine', againMs: null },
}

/** Plays what it is told is the most urgent now. */
export class Siren {
  private context: AudioContext | null = null
  private timer: ReturnType<typeof setTimeout> | null = null
  private playing: Urgency | null = null
  private readonly make: () => AudioContext
  /** Called when the browser begins or ceases to let us be heard. */
  onAudible: (audible: boolean) => void = () => undefined

  constructor(make: () => AudioContext = () => new AudioContext()) {
    this.make = make
  }

  /** Whether it would be heard: browsers wait for the person's first click or key. */
  get audible(): boolean {
    return this.context?.state === 'running'
  }

  /** Ask the browser to let us be heard. */
  wake(): void {
    if (this.context === null) {
      this.context = this.make()
      this.context.onstatechange = () => this.onAudible(this.audible)
    }
    if (this.context.state === 'suspended') void this.context.resume().catch(() => undefined)
    this.onAudible(this.audible)
  }

  /** Sound `urgency` from now on, `null`: silence; whether it began just now. The same again changes nothing. */
  sound(urgency: Urgency | null): boolean {
    if (urgency === this.playing) return false
    this.playing = urgency
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    if (urgency !== null) this.play(urgency)
    return true
  }

  /** The tones of `urgency`, whatever else sounds. */
  once(urgency: Urgency): void {
    this.tones(SOUNDS[urgency])
  }

  close(): void {
    this.sound(null)
    void this.context?.close().catch(() => undefined)
    this.context = null
  }

  private play(urgency: Urgency): void {
    const sound = SOUNDS[urgency]
    this.tones(sound)
    if (sound.againMs !== null) this.timer = setTimeout(() => this.play(urgency), sound.againMs)
  }

  private tones(sound: Sound): void {
    if (this.context?.state === 'running') play(this.context, sound.tones, sound.loud, sound.shape)
  }
}
