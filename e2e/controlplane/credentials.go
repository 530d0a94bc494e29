package controlplane

import (
	"crypto/rand"
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokensFile is the API server's --token-auth-file.
func (c *ControlPlane) tokensFile() string {
	return c.path("tokens.csv")
}

// writeToken makes the token by which the clients of this control plane are known. kwokctl gives them a certificate,
// whose chain the API server verifies with each request: 5 % of its CPU time under a write load, which no operator in a
// cluster costs it, where a token is looked up in a cache.
func (c *ControlPlane) writeToken() (string, error) {
	token := rand.Text()
	line := fmt.Sprintf("%s,kubernetes-admin,kubernetes-admin,system:masters\n", token)
	if err := os.WriteFile(c.tokensFile(), []byte(line), 0o600); err != nil {
		return "", fmt.Errorf("write token: %w", err)
	}
	return token, nil
}

// useToken puts the token in the place of the certificate in the kubeconfig that kwokctl wrote.
func (c *ControlPlane) useToken(token string) error {
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	}
	if err := clientcmd.WriteToFile(*config, c.Kubeconfig); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}
