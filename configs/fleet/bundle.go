package fleet

import (
	_ "github.com/secure-systems-lab/go-securesystemslib/dsse"
)
