// Sounds of the phone, made by the browser: the ring, and a test tone.

let context: AudioContext | null = null

function audio(): AudioContext {
  context ??= new AudioContext()
  if (context.state === 'suspended') void context.resume()
  return context
}

function beep(at: number, seconds: number, frequencies: readonly number[], volume: number): OscillatorNode[] {
  const out = audio()
  const gain = out.createGain()
  gain.gain.setValueAtTime(0, at)
  gain.gain.linearRampToValueAtTime(volume, at + 0.02)
  gain.gain.setValueAtTime(volume, at + seconds - 0.05)
  gain.gain.linearRampToValueAtTime(0, at + seconds)
  gain.connect(out.destination)
  return frequencies.map((frequency) => {
    const tone = out.createOscillator()
    tone.frequency.value = frequency
    tone.connect(gain)
    tone.start(at)
    tone.stop(at + seconds)
    return tone
  })
}

/** Ring until the function returned is called. */
export function ring(volume = 0.15): () => void {
  let tones: OscillatorNode[] = []
  const once = (): void => {
    const at = audio().currentTime
    tones = [...beep(at, 0.4, [587, 740], volume), ...beep(at + 0.5, 0.4, [587, 740], volume)]
  }
  once()
  const timer = setInterval(once, 3000)
  return () => {
    clearInterval(timer)
    for (const tone of tones) tone.stop()
  }
}

/** One second of a tone, for the device check. */
export function testTone(): void {
  beep(audio().currentTime, 1, [440], 0.2)
}
