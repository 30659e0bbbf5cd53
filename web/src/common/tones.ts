// Tones made by the browser itself: nothing is fetched to ring.

export interface Tone {
  readonly hz: number
  /** Seconds, from the sound's beginning. */
  readonly at: number
  readonly long: number
}

/** Seconds in which a tone comes and goes: at once on and off clicks. */
const RISE_S = 0.01
const FALL_S = 0.02

/** Play them from now on; what is returned can be stopped earlier. */
export function play(
  context: AudioContext, tones: readonly Tone[], loud: number, shape: OscillatorType = 'sine',
): readonly OscillatorNode[] {
  const now = context.currentTime
  return tones.map(({ hz, at, long }) => {
    const [oscillator, gain] = [context.createOscillator(), context.createGain()]
    const [from, to] = [now + at, now + at + long]
    oscillator.type = shape
    oscillator.frequency.value = hz
    gain.gain.setValueAtTime(0, from)
    gain.gain.linearRampToValueAtTime(loud, from + RISE_S)
    gain.gain.setValueAtTime(loud, to - FALL_S)
    gain.gain.linearRampToValueAtTime(0, to)
    oscillator.connect(gain).connect(context.destination)
    oscillator.start(from)
    oscillator.stop(to)
    return oscillator
  })
}
