import ArgumentParser
import CaptureStore
struct Z: ParsableCommand { }
Z.main()
