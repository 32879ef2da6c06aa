package photo

import "github.com/bril-edge/bril/capture/pixel"

// sharpness is the variance of the Laplacian over the picture, its outermost
// pixels left out (Pech-Pacheco et al., "Diatom autofocusing in brightfield
// microscopy", 2000): motion takes the fine detail that the Laplacian answers to.
// It compares pictures of the same scene, no others.
func sharpness(l pixel.Luma) float64 {
	var sum, squares int64
	for y := 1; y < l.Height-1; y++ {
		s, q := laplacian(l.Data[(y-1)*l.Stride:], l.Data[y*l.Stride:], l.Data[(y+1)*l.Stride:], l.Width, l.Step)
		sum, squares = sum+s, squares+q
	}
	n := float64((l.Width - 2) * (l.Height - 2))
	if l.Width < 3 || l.Height < 3 {
		return 0
	}
	mean := float64(sum) / n
	return float64(squares)/n - mean*mean
}

// laplacian returns the sum and the sum of squares of a row's Laplacian.
func laplacian(above, row, below []byte, width, step int) (sum, squares int64) {
	for x := step; x < (width-1)*step; x += step {
		v := 4*int64(row[x]) - int64(row[x-step]) - int64(row[x+step]) - int64(above[x]) - int64(below[x])
		sum += v
		squares += v * v
	}
	return sum, squares
}
