// Command echo is the lab's backend: it answers every request with what it saw, as JSON.
//
// VERSION and POD_NAME come from the environment. /healthz answers 200, /status/<code> answers that code, and
// /sleep?ms=<n> waits (at most a minute) before it answers. The same by TLS on 8443, where TLS_DIR holds tls.crt and tls.key.
//
// On 9000 it greets each TCP connection with its version and a line break, and then sends back what it gets; each UDP
// datagram it sends back with its version and a blank before it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type answer struct {
	Version string              `json:"version"`
	Pod     string              `json:"pod"`
	Host    string              `json:"host"`
	Path    string              `json:"path"`
	Method  string              `json:"method"`
	Headers map[string][]string `json:"headers"`
}

func echo(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	if code, found := strings.CutPrefix(r.URL.Path, "/status/"); found {
		n, err := strconv.Atoi(code)
		if err != nil || n < 200 || n > 599 {
			http.Error(w, "status must be 200 to 599", http.StatusBadRequest)
			return
		}
		status = n
	}
	if r.URL.Path == "/sleep" {
		ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
		if err != nil || ms < 0 || ms > 60_000 {
			http.Error(w, "ms must be 0 to 60000", http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer{
		Version: os.Getenv("VERSION"), Pod: podName(), Host: r.Host,
		Path: r.URL.RequestURI(), Method: r.Method, Headers: r.Header,
	})
}

func podName() string {
	if name := os.Getenv("POD_NAME"); name != "" {
		return name
	}
	name, _ := os.Hostname() // a pod's host name is its name
	return name
}

func version() string { return os.Getenv("VERSION") }

func echoTCP(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer connection.Close()
			if _, err := fmt.Fprintln(connection, version()); err == nil {
				_, _ = io.Copy(connection, connection)
			}
		}()
	}
}

func echoUDP(connection net.PacketConn) {
	datagram := make([]byte, 2048)
	for {
		n, from, err := connection.ReadFrom(datagram)
		if err != nil {
			log.Fatal(err)
		}
		_, _ = connection.WriteTo(append([]byte(version()+" "), datagram[:n]...), from)
	}
}

func main() {
	listener, err := net.Listen("tcp", ":9000")
	if err != nil {
		log.Fatal(err)
	}
	go echoTCP(listener)
	datagrams, err := net.ListenPacket("udp", ":9000")
	if err != nil {
		log.Fatal(err)
	}
	go echoUDP(datagrams)
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", echo)
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(drain)
	}()
	if dir := os.Getenv("TLS_DIR"); dir != "" {
		secure := &http.Server{Addr: ":8443", Handler: mux, ReadHeaderTimeout: 10 * time.Second}
		go func() {
			log.Fatal(secure.ListenAndServeTLS(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")))
		}()
	}
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
