// Sounds of the phone: the ring, and a test tone.

import { play, type Tone } from '@/common/tones.ts'

const AGAIN_MS = 3000
const RING: readonly Tone[] = [0, 0.5].flatMap((at) => [587, 740].map((hz) => ({ hz, at, long: 0.4 })))
let context: AudioContext | null = null

function audio(): AudioContext {
  context ??= new AudioContext()
  if (context.state === 'suspended') void context.resume()
  return context
}

/** Ring until the function returned is called. */
export function ring(volume = 0.15): () => void {
  let tones = play(audio(), RING, volume)
  const timer = setInterval(() => (tones = play(audio(), RING, volume)), AGAIN_MS)
  return () => {
    clearInterval(timer)
    for (const tone of tones) tone.stop()
  }
}

/** One second of a tone, for the device check. */
export function testTone(): void {
  play(audio(), [{ hz: 440, at: 0, long: 1 }], 0.2)
}
