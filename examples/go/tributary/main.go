package tributary

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"example/tributary/mlp"
)

// Main is the command line that both clients share; wire is the scheme of their addresses.
func Main(wire string, connect Connect) {
	host, _ := os.Hostname()
	data := flag.String("data", "", "IMAGES.idx,LABELS.idx or FILE.csv")
	share := flag.String("share", "1/1", "K/N: the K-th of N shares of the data")
	id := flag.String("id", fmt.Sprintf("%.48s-%d", host, os.Getpid()), "unlike any other client's")
	token := flag.String("token", "", "what the operator gave you, if anything; or TRIBUTARY_TOKEN")
	ca := flag.String("ca", "", "PEM file of the authority that vouches for the server, unless a public one does")
	out := flag.String("out", "", "write the final model here")
	flag.Parse()
	if flag.NArg() != 1 || *data == "" {
		fmt.Fprintf(os.Stderr, "usage: --data DATA [--share K/N] [--id ID] [--token TOKEN] [--ca FILE] [--out FILE] %s[s]://...\n", wire)
		os.Exit(2)
	}
	if *token == "" { // other users of a machine see a command line
		*token = os.Getenv("TRIBUTARY_TOKEN")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, connect, options{wire, flag.Arg(0), *data, *share, *id, *token, *ca, *out}); err != nil {
		if ctx.Err() != nil {
			err = errors.New("stopped")
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct{ wire, url, data, share, id, token, ca, out string }

func run(ctx context.Context, connect Connect, o options) error {
	server, err := find(o.url, o.wire, o.ca, o.token)
	if err != nil {
		return err
	}
	trainer, err := mlp.Open(o.data, o.share)
	if err != nil {
		return err
	}
	say := func(format string, values ...any) { fmt.Printf(format+"\n", values...) }
	say("%s trains on %d samples", o.id, trainer.Samples())
	model, err := NewSession(o.id, o.token, trainer, say).Run(ctx, server, connect)
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := os.WriteFile(o.out, model, 0o644); err != nil {
			return err
		}
	}
	say("sha256 %x", sha256.Sum256(model))
	return nil
}
